# ser-predict serve in a container: docker build --tag ser-images . && docker run --publish 127.0.0.1:8000:8000 ser-images
# The model of the package, or one of your own: docker run … --volume ./runs/first:/model:ro ser-images --model /model
# With the page at /, where make page came before.
FROM python:3.11-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/ser-images \
    && /opt/ser-images/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve]' \
    && /opt/ser-images/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
COPY --from=build /opt/ser-images /opt/ser-images
ENV PATH=/opt/ser-images/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["ser-predict", "serve", "--host", "0.0.0.0"]
