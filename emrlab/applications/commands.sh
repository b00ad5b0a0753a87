#!/bin/bash
# hadoop, hdfs, yarn, mapred and their kin on a node: each name of this script is one command.
set -f
NODE=${EMRLAB_NODE:-@NODE@}
. "$NODE/etc/hadoop/conf/hadoop-env.sh"
export HADOOP_CONF_DIR=${HADOOP_CONF_DIR:-$NODE/etc/hadoop/conf} JAVA_HOME=${JAVA_HOME:-$NODE/usr/lib/jvm}
export EMRLAB_NODE=$NODE EMRLAB_NODE_IP=${EMRLAB_NODE_IP:-@ADDRESS@} HADOOP_USER_NAME=${HADOOP_USER_NAME:-hadoop}
H=org.apache.hadoop
command=${0##*/}

run() {
  exec "$JAVA_HOME/bin/java" "-Xmx${HADOOP_CLIENT_HEAP_MB:-256}m" $HADOOP_OPTS $HADOOP_CLIENT_OPTS \
    ${HADOOP_ROOT_LOGGER:+"-Dhadoop.root.logger=$HADOOP_ROOT_LOGGER"} ${HADOOP_LOG_DIR:+"-Dhadoop.log.dir=$HADOOP_LOG_DIR"} \
    ${HADOOP_LOGFILE:+"-Dhadoop.log.file=$HADOOP_LOGFILE"} -cp "$NODE/usr/lib/hadoop/*:$HADOOP_CLASSPATH" "$@"
}
unknown() {
  echo "$command: '$1' is not a subcommand here. These are: $2" >&2
  exit 2
}
# A path of a real node (/usr/lib/…, /home/hadoop/…) means this node's.
local_path() { case $1 in /*) [ -e "$1" ] || [ ! -e "$NODE$1" ] || { echo "$NODE$1"; return; };; esac; echo "$1"; }
jar() {
  local file
  file=$(local_path "$1"); shift
  run $H.util.RunJar "$file" "$@"
}
common() {
  case $1 in
    version) run $H.util.VersionInfo;;
    classpath) echo "$HADOOP_CONF_DIR:$NODE/usr/lib/hadoop/*:$HADOOP_CLASSPATH"; exit;;
    jar) shift; jar "$@";;
    daemonlog) shift; run $H.log.LogLevel "$@";;
    envvars) env | grep -E '^(HADOOP|JAVA_HOME|EMRLAB_NODE)'; exit;;
    [a-z]*.*) run "$@";;  # a class
  esac
}

case $command in
  hadoop-streaming) run $H.streaming.HadoopStreaming "$@";;
esac
[ $# -gt 0 ] || set -- help
what=$1
common "$@"
shift
case $command in
  hadoop)
    case $what in
      fs) run $H.fs.FsShell "$@";;
      dfs) run $H.fs.FsShell "$@";;
      distcp) run $H.tools.DistCp "$@";;
      key) run $H.crypto.key.KeyShell "$@";;
      credential) run $H.security.alias.CredentialShell "$@";;
      checknative) run $H.util.NativeLibraryChecker "$@";;
      conftest) run $H.util.ConfTest "$@";;
      *) unknown "$what" "fs jar distcp version classpath key credential checknative conftest daemonlog CLASS";;
    esac;;
  hdfs)
    T=$H.hdfs.tools
    case $what in
      dfs) run $H.fs.FsShell "$@";;
      dfsadmin) run $T.DFSAdmin "$@";;
      fsck) run $T.DFSck "$@";;
      getconf) run $T.GetConf "$@";;
      balancer) run $H.hdfs.server.balancer.Balancer "$@";;
      mover) run $H.hdfs.server.mover.Mover "$@";;
      cacheadmin) run $T.CacheAdmin "$@";;
      crypto) run $T.CryptoAdmin "$@";;
      debug) run $T.DebugAdmin "$@";;
      ec) run $T.ECAdmin "$@";;
      groups) run $T.GetGroups "$@";;
      haadmin) run $T.DFSHAAdmin "$@";;
      lsSnapshottableDir) run $T.snapshot.LsSnapshottableDir "$@";;
      snapshotDiff) run $T.snapshot.SnapshotDiff "$@";;
      oev) run $T.offlineEditsViewer.OfflineEditsViewer "$@";;
      oiv) run $T.offlineImageViewer.OfflineImageViewerPB "$@";;
      storagepolicies) run $T.StoragePolicyAdmin "$@";;
      *) unknown "$what" "dfs dfsadmin fsck getconf balancer mover cacheadmin crypto debug ec groups haadmin lsSnapshottableDir snapshotDiff oev oiv storagepolicies version classpath CLASS";;
    esac;;
  yarn)
    C=$H.yarn.client.cli
    case $what in
      app|application|applicationattempt|container) run $C.ApplicationCLI "$what" "$@";;
      node) run $C.NodeCLI "$@";;
      logs) run $C.LogsCLI "$@";;
      queue) run $C.QueueCLI "$@";;
      cluster) run $C.ClusterCLI "$@";;
      rmadmin) run $C.RMAdminCLI "$@";;
      schedulerconf) run $C.SchedConfCLI "$@";;
      top) run $C.TopCLI "$@";;
      *) unknown "$what" "application applicationattempt container node logs queue cluster rmadmin schedulerconf top jar version classpath CLASS";;
    esac;;
  mapred)
    case $what in
      job) run $H.mapred.JobClient "$@";;
      queue) run $H.mapred.JobQueueClient "$@";;
      streaming) run $H.streaming.HadoopStreaming "$@";;
      distcp) run $H.tools.DistCp "$@";;
      hsadmin) run $H.mapreduce.v2.hs.client.HSAdmin "$@";;
      *) unknown "$what" "job queue streaming distcp hsadmin version classpath CLASS";;
    esac;;
esac
