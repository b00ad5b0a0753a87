#!/bin/bash
# bin/java of a node's JAVA_HOME: every JVM that is no daemon comes through here. It puts jars first and folders last
# on the class path, so that the class-data archive fits; chooses the archive by the main class; keeps the JVM small
# and its heap within what this machine has; and puts it on the node: its hosts file, its address, its folders.
# MANY is what a wildcard of the class path stands for, in the archive's order.
LC_ALL=C
JAVA=@JAVA@
NODE=${EMRLAB_NODE:-@NODE@}
ADDRESS=${EMRLAB_NODE_IP:-@ADDRESS@}
HADOOP_JARS=@HADOOP_JARS@
SPARK_JARS=@SPARK_JARS@
SPARK_HOME_=@SPARK_HOME@

flags=() main=() class_path=$CLASSPATH collector=-XX:+UseSerialGC tag=hadoop hosts=hosts archived=1
while [ $# -gt 0 ]; do
  case $1 in
    -cp|-classpath|--class-path) class_path=$2; shift;;
    -jar) main=("$@"); archived=; break;;
    -version|--version|-help|-h|-\?) exec "$JAVA" -XX:-UsePerfData "$@";;
    -Xmx*)
      size=${1#-Xmx} unit=
      case $size in *[gG]) size=$((${size%?} * 1024));; *[mM]) size=${size%?};; *[kK]) size=$((${size%?} / 1024));; *) size=$((size >> 20));; esac
      [ "$size" -gt @HEAP@ ] && size=@HEAP@
      flags+=("-Xmx${size}m");;
    -Xms*) ;;  # the heap grows when it is needed
    -XX:+Use*GC) collector=$1;;
    -*) flags+=("$1");;
    *) main=("$@"); case $1 in org.apache.spark.*) tag=spark;; *.MRAppMaster) hosts=hosts.history;; esac; break;;
  esac
  shift
done

jars= folders=
split() {
  local IFS=: entry
  set -f
  for entry in $1; do
    case $entry in
      "$SPARK_HOME_/jars/*"|"$SPARK_HOME_/jars") jars=$SPARK_JARS:$jars; tag=spark;;
      */usr/lib/hadoop/\*) jars=$HADOOP_JARS:$jars;;
      *.jar|*/\*) jars+=$entry:;;
      "") ;;
      *) folders+=:$entry;;
    esac
  done
  set +f
}
split "$class_path"
jars=${jars%:}
[ -n "$archived" ] && case $tag in
  spark) sharing="@SPARK_SHARING@";;
  *) sharing="@HADOOP_SHARING@";;
esac
tuned="$collector -XX:TieredStopAtLevel=1 -Xss1m -Xms32m"
[ -n "$EMRLAB_STOCK_JVM" ] && sharing= tuned=  # benchmarks compare with JVMs as they come
# The node's own *-site.xml come before those a client sent along: ports and folders are the node's.
exec "$JAVA" $sharing $tuned @ON_NODE@ \
  "-Djdk.net.hosts.file=$NODE/etc/$hosts" "-Dlab.ip=$ADDRESS" "-Djava.io.tmpdir=$NODE/mnt/tmp" "-Duser.home=$NODE/home/hadoop" \
  "${flags[@]}" -cp "$jars:$NODE/etc/hadoop/conf$folders" "${main[@]}"
