# ssmic as a container: stage 1 builds the wheel and installs it, stage 2 is what runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/ssmic
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY agents agents
COPY broker broker
COPY scenarios scenarios
COPY tui tui
# What libraries ship to test themselves is half of their size.
RUN /build/bin/pip install --quiet --no-cache-dir --upgrade pip \
 && /build/bin/pip wheel --quiet --no-cache-dir --no-deps --wheel-dir /wheel . \
 && /build/bin/pip --python /opt/ssmic/bin/python install --quiet --no-cache-dir --constraint constraints.txt /wheel/*.whl \
 && find /opt/ssmic -type d \( -name tests -o -name test -o -name __pycache__ \) -prune -exec rm -rf {} + \
 && find /opt/ssmic \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' \) -delete \
 && /opt/ssmic/bin/python -m compileall -q /opt/ssmic/lib

FROM python:3.11-slim-bookworm
# Volumes that are mounted at these begin with their owner.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ssmic \
 && install -d -o ssmic -g ssmic /results /journal
COPY --from=build /opt/ssmic /opt/ssmic
ENV PATH=/opt/ssmic/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /
ENTRYPOINT ["ssmic"]
CMD ["--help"]
