FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN pip install --no-cache-dir "uv==$(sed -n '/^name = "uv"$/{n;s/version = "\(.*\)"/\1/p}' uv.lock)"
ENV UV_PROJECT_ENVIRONMENT=/app UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN uv sync --locked --no-dev --all-extras --no-install-project
COPY templates templates
COPY service service
RUN uv sync --locked --no-dev --all-extras --no-editable

FROM python:3.13-slim
RUN useradd --system --home-dir /data --create-home magiclink
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1
USER magiclink
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["magiclink", "serve", "--host", "0.0.0.0", "--port", "8000"]
