"""What docs/parity.md says besides what the code tells: of operations, events and metrics, what is not as on AWS."""

from __future__ import annotations

# What of an operation is not as on AWS. An operation that is not named here is real.
OPERATIONS = {
    "RunJobFlow": "not: the parameters below",
    "AddJobFlowSteps": "not: `ExecutionRoleArn`, `StepMonitoringConfiguration`",
    "DescribeReleaseLabel": "the applications and versions that emrlab runs, not EMR's own builds",
    "ListReleaseLabels": "the releases that emrlab runs",
    "ListSupportedInstanceTypes": "the types of EMR's task configuration table that emrlab has figures for",
    "AddInstanceGroups": "not: three master nodes",
    "AddInstanceFleet": "not: capacity reservations, fleets' custom AMIs mean nothing here",
    "ModifyInstanceFleet": "not: capacity reservations; targets that are not named stay as they are",
    "CreateSecurityConfiguration": "kept and checked; see below what cannot be launched with",
    "PutBlockPublicAccessConfiguration": "as on EMR a cluster whose security groups break it ends; it closes no port",
    "CreateStudio": "no Workspaces, no single sign-on: its page is the region's; its roles are not looked up",
    "UpdateStudio": "as `CreateStudio`",
    "CreateStudioSessionMapping": "kept; there is no Identity Center to look identities up in",
    "UpdateStudioSessionMapping": "as `CreateStudioSessionMapping`",
    "GetClusterSessionCredentials": "always refused, as EMR refuses clusters without runtime roles: there are none",
    "SetVisibleToAllUsers": "kept and told, as on EMR, where it means nothing any more",
    "ModifyCluster": "`StepConcurrencyLevel` is real, `ExtendedSupport` is told again",
    "StartNotebookExecution": "kernels of Python; not: runtime roles, Sparkmagic's kernels; a stopped one has no HTML",
    "GetOnClusterAppUIPresignedURL": "Spark's and MapReduce's histories, YARN, applications; not: Tez, the timeline",
    "CreatePersistentAppUI": "Spark's history; not: Tez, YARN's timeline, runtime roles",
    "GetPersistentAppUIPresignedURL": "Spark's history",
    "StartSession": "Spark Connect on the master node; not: runtime roles, logs of its own",
    "GetSessionEndpoint": "http on the node's loopback address",
    "PutManagedScalingPolicy": "EMR's limits and order of nodes; AWS does not publish when and how many",
    "PutAutoTerminationPolicy": "in lab time; use of a user interface is seen when it is opened by a presigned URL",
    "PutAutoScalingPolicy": "real alarms in CloudWatch, evaluated in lab time",
}

NAME = "AWS publishes the name alone: words, fields and moment are ours"
FIELDS = "messages and codes are AWS's; some fields it does not publish: they are named as in other events"
# ``Kind`` of an event → what is not as on AWS.
EVENTS = {
    **dict.fromkeys(("FLEET_START", "GROUP_START", "FLEET_TERMINATION", "GROUP_TERMINATION", "FLEET_UPDATE"), NAME),
    **dict.fromkeys(("MANAGED_SCALING", "APPLICATION_HEALTH"), NAME),
    **dict.fromkeys(
        ("FLEET_PROVISIONING", "GROUP_PROVISIONING", "FLEET_RESIZE", "GROUP_RESIZE", "UNHEALTHY_NODE"), FIELDS
    ),
    "FLEET_NOTE": "also for reconfigurations of fleets, of which AWS publishes the messages",
    "FLEET": "`state` is the API's, RUNNING where AWS's table says WAITING",
    "CONFIGURATION_ERROR": "when a cluster has no more addresses; AWS's quotas do not exist here",
}

# Metrics that EMR documents and that have no true source here.
NO_METRICS = {
    "MapSlotsOpen, ReduceSlotsOpen, RemainingMapTasksPerSlot, LiveTaskTrackers": "of Hadoop 1: YARN has no slots",
    "BackupFailed, MostRecentBackupDuration, TimeSinceLastSuccessfulBackup": "of Hadoop 1's HBase backups",
    "YarnContainersUsed…Seconds, YarnNodesUsed…Seconds": "nodes are parts of one machine",
    "TotalNotebookKernels": "kernels run beside the cluster's nodes",
}
METRICS = {
    "HDFSUtilization": "of the machine's disk: volumes are not scaled down yet",
    "CapacityRemainingGB": "of the machine's disk",
    "MultiMasterInstanceGroupNodesRunning": "there is one master node",
}
