"""Mean departure delay per carrier with Spark: CSV in S3 in, Parquet in S3 out."""

import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

source, target = sys.argv[1:3]
spark = SparkSession.builder.appName("Delays with Spark").getOrCreate()

started = time.perf_counter()
flights = spark.read.csv(source, header=True)
late = flights.withColumn("dep_delay", F.col("dep_delay").cast("double"))
delays = late.groupBy("carrier").agg(F.count("dep_delay").alias("flights"), F.avg("dep_delay").alias("delay"))
delays.coalesce(1).write.mode("overwrite").parquet(target)
print(f"work: {time.perf_counter() - started:.1f} s")

spark.stop()
