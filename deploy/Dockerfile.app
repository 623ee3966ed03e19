# An app's image: Callboard's, and the app's code and libraries beside it. Copy it into the app's repository.
#   docker build -f Dockerfile.app -t shop:1 .

FROM python:3.12-slim-bookworm AS libraries
COPY requirements.txt .
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes --target /libraries -r requirements.txt

FROM callboard:0.1.0
COPY --from=libraries /libraries /opt/app
ENV PYTHONPATH=/opt/app
COPY shop /app/shop
CMD ["worker", "shop"]
