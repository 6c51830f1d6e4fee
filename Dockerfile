# Airflow with the locked packages, the DAGs and the package itself; made for the non-root user of the official image.
FROM apache/airflow:3.3.2-python3.12

ENV PYTHONPATH=/opt/airflow/include \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    FAULTSET_CATALOG=/opt/airflow/experiments \
    FAULTSET_DATASETS=/opt/airflow/datasets \
    GX_ANALYTICS_ENABLED=false

# The lock changes less often than the code: a layer of its own. The image's own packages give way to the locked ones.
COPY --chown=airflow:0 requirements.txt /opt/airflow/requirements.txt
RUN uv pip install --no-cache --require-hashes --requirement /opt/airflow/requirements.txt \
    && mkdir -p /opt/airflow/datasets

COPY --chown=airflow:0 pyproject.toml /opt/airflow/pyproject.toml
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 experiments /opt/airflow/experiments

# The user "airflow" of the image, by number: hosts that demand a non-root user cannot look up a name.
USER 50000
