# The command with everything it can use. CPU by default; for a GPU:
#   docker build --build-arg TORCH=cu130 -t shiftsmooth .
#   docker run --gpus all -v "$PWD:/data" shiftsmooth attribute peaks.fa --model ... -o out
FROM python:3.11-slim
ARG TORCH=cpu
COPY . /src
RUN version=$(sed -n 's/^torch==//p' /src/constraints.txt) \
 && pip install --no-cache-dir "torch==$version" \
      --index-url "https://download.pytorch.org/whl/$TORCH" \
 && sed 's/^torch==.*//' /src/constraints.txt > /src/others.txt \
 && pip install --no-cache-dir -c /src/others.txt '/src[all]' \
 && rm -r /src
WORKDIR /data
ENTRYPOINT ["shiftsmooth"]
