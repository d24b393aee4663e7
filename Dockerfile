# ssmic as a container: the first stage installs it, the second one is what runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/ssmic && /build/bin/pip install --quiet --upgrade pip
# The libraries first: they change less often than we do.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > requirements.txt \
 && /build/bin/pip --python /opt/ssmic/bin/python install --quiet --no-cache-dir --no-compile \
    --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE ./
COPY agents agents
COPY broker broker
COPY scenarios scenarios
COPY ssmic ssmic
COPY tui tui
# What libraries ship to test or to compile themselves is of no use here; the stubs of packages say what these export.
RUN /build/bin/pip wheel --quiet --no-cache-dir --no-deps --wheel-dir /wheel . \
 && /build/bin/pip --python /opt/ssmic/bin/python install --quiet --no-cache-dir --no-compile --no-deps /wheel/*.whl \
 && find /opt/ssmic -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} + \
 && find /opt/ssmic \( -name '*.pyi' ! -name __init__.pyi -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' -o -name '*.c' \) -delete \
 && /opt/ssmic/bin/python -m compileall -q /opt/ssmic/lib

FROM python:3.11-slim-bookworm
# A volume that is mounted at one of these begins with its owner.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ssmic \
 && install -d -o ssmic -g ssmic /results /journal
COPY --from=build /opt/ssmic /opt/ssmic
ENV PATH=/opt/ssmic/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /
ENTRYPOINT ["ssmic"]
CMD ["--help"]
