# The program alone, in the smallest image that has what it opens: the system's C library and, for formats that it does not decode itself,
# ffmpeg. On NVIDIA machines `docker run --gpus all` brings the driver; cuBLASLt comes from `pip install nvidia-cublas` or a CUDA base image.
#
#   docker build -t emobox . && docker run --rm -v "$PWD:/work" emobox demo
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --profile dist -p emobox && cp target/dist/emobox /emobox

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/*
COPY --from=build /emobox /usr/local/bin/emobox
WORKDIR /work
ENTRYPOINT ["emobox"]
