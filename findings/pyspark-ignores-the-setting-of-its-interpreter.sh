#!/usr/bin/env bash
# PySpark ignores its documented setting `spark.pyspark.python` when the driver is a plain Python program.
#
# Version: pyspark 4.2.0 (with Java 17).
#
# Spark's configuration page calls it "Python binary executable to use for PySpark in both driver and executors".
# spark-submit heeds it; `SparkSession.builder.getOrCreate()` takes it, reports it as set, and has workers run
# PYSPARK_PYTHON, else the `python3` on the PATH of each executor.
#
# Seen:
#   driver as a plain Python program:
#   pyspark 4.2.0
#   spark.pyspark.python is …/no-such-python
#   workers run python3 and answer [2, 3]
#   the same by spark-submit:
#   Cannot run program "no-such-python"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyspark==4.2.0
mkdir "$folder/conf"
echo "spark.pyspark.python $folder/no-such-python" > "$folder/conf/spark-defaults.conf"
unset PYSPARK_PYTHON
export SPARK_CONF_DIR="$folder/conf" PATH="$folder/venv/bin:$PATH"
cat > "$folder/driver.py" <<'PYTHON'
import pyspark
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
context = spark.sparkContext
print("pyspark", pyspark.__version__)
print("spark.pyspark.python is", context.getConf().get("spark.pyspark.python"))
print("workers run", context.pythonExec, "and answer", context.parallelize([1, 2]).map(lambda n: n + 1).collect())
assert context.getConf().get("spark.pyspark.python").endswith("no-such-python")
assert context.pythonExec == "python3"
PYTHON
echo "driver as a plain Python program:"
"$folder/venv/bin/python" "$folder/driver.py" 2>/dev/null
echo "the same by spark-submit:"
if "$folder/venv/bin/spark-submit" "$folder/driver.py" >"$folder/out" 2>&1; then
  echo "ran: the behaviour has changed" >&2
  exit 1
fi
grep -o 'Cannot run program ".*no-such-python"' "$folder/out" | head -1 | sed "s|$folder/||"
