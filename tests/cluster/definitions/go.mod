module envoy-jwt-authz/tests/cluster/definitions

go 1.26.0

// Only a file of this module is read: the definition of the PodMonitor.
require github.com/prometheus-operator/prometheus-operator v0.85.0
