{{- /* The two containers. tests/deploy compares them with deploy/kubernetes/component/containers.yaml, which says why each
line is there. */ -}}

{{- define "envoy-jwt-authz.locked" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: { drop: [ALL] }
{{- end }}

{{- /* values, workers, cpu, args */ -}}
{{- define "envoy-jwt-authz.authz" -}}
{{- $memory := printf "%dMi" (add 64 (mul 64 .workers)) -}}
name: authz
image: {{ include "envoy-jwt-authz.authzImage" .values }}
restartPolicy: Always
{{- with .args }}
args: {{ toJson . }}
{{- end }}
env:
- { name: AUTHZ_ADMIN, value: "0.0.0.0:9464" }
- { name: AUTHZ_ALLOW_REMOTE, value: "true" } # the NetworkPolicy protects the admin port
- { name: AUTHZ_DRAIN, value: 20s }
ports:
- { name: authz-admin, containerPort: 9464 }
startupProbe:
  httpGet: { path: /livez, port: authz-admin }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: authz-admin }
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  httpGet: { path: /livez, port: authz-admin }
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
securityContext:
  runAsUser: 65532
  runAsGroup: 65532
  {{- include "envoy-jwt-authz.locked" . | nindent 2 }}
resources:
  requests: { cpu: {{ .cpu }}, memory: {{ $memory }} }
  limits: { memory: {{ $memory }} }
volumeMounts:
- { name: envoy-config, mountPath: /etc/envoy, readOnly: true }
- { name: authz-socket, mountPath: /run/authz }
{{- end }}

{{- /* values, cpu, port (name and number), ready (the readiness probe) */ -}}
{{- define "envoy-jwt-authz.envoy" -}}
name: envoy
image: {{ include "envoy-jwt-authz.image" .values.envoyImage }}
command: [/usr/local/bin/envoy]
args: [--config-path, /etc/envoy/envoy.yaml, --concurrency, "2", --disable-hot-restart]
ports:
- { name: {{ .port.name }}, containerPort: {{ .port.number }} }
- { name: envoy-metrics, containerPort: 9902 }
startupProbe:
  tcpSocket: { port: {{ .port.name }} }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {{ toJson .ready }}
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  tcpSocket: { port: {{ .port.name }} }
  periodSeconds: 10
  failureThreshold: 3
lifecycle: { preStop: { sleep: { seconds: 15 } } }
securityContext:
  runAsUser: 10002
  runAsGroup: 65532
  {{- include "envoy-jwt-authz.locked" . | nindent 2 }}
resources:
  requests: { cpu: {{ .cpu }}, memory: 128Mi }
  limits: { memory: 1280Mi }
volumeMounts:
- { name: envoy-config, mountPath: /etc/envoy, readOnly: true }
- { name: envoy-secrets, mountPath: /etc/envoy/secrets, readOnly: true }
- { name: authz-socket, mountPath: /run/authz, readOnly: true }
{{- end }}

{{- define "envoy-jwt-authz.podSecurityContext" -}}
runAsNonRoot: true
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- /* configMap, secrets (names), files (keys of the ConfigMap beside the secrets) */ -}}
{{- define "envoy-jwt-authz.volumes" -}}
- name: envoy-config
  configMap: { name: {{ .configMap }} }
- name: envoy-secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range .secrets }}
    - secret: { name: {{ . }} }
    {{- end }}
    - configMap:
        name: {{ .configMap }}
        items:
        {{- range .files }}
        - { key: {{ . }}, path: {{ . }} }
        {{- end }}
- name: authz-socket
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- end }}

{{- define "envoy-jwt-authz.serverCertificate" -}}
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: server-certificate
  tls_certificate:
    certificate_chain: { filename: /etc/envoy/secrets/tls.crt }
    private_key: { filename: /etc/envoy/secrets/tls.key }
{{- end }}

{{- /* name, labels, selector, namespace */ -}}
{{- define "envoy-jwt-authz.podMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ .name }}
  {{- with .labels }}
  labels: {{ toJson . }}
  {{- end }}
spec:
  selector:
    matchLabels: {{ toJson .selector }}
  podMetricsEndpoints:
  - { port: authz-admin, path: /metrics, interval: 15s, scrapeTimeout: 5s }
  - { port: envoy-metrics, path: /stats/prometheus, interval: 15s, scrapeTimeout: 5s }
  sampleLimit: 20000
{{- end }}

{{- /* name, labels, selector, monitoring (namespace), port, clients (namespaces; empty for all) */ -}}
{{- define "envoy-jwt-authz.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  {{- with .labels }}
  labels: {{ toJson . }}
  {{- end }}
spec:
  podSelector:
    matchLabels: {{ toJson .selector }}
  policyTypes: [Ingress]
  ingress:
  - ports: [{ port: {{ .port }} }]
    {{- with .clients }}
    from:
    - namespaceSelector:
        matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }} }]
    {{- end }}
  - from:
    - namespaceSelector:
        matchLabels: { kubernetes.io/metadata.name: {{ .monitoring }} }
      podSelector:
        matchLabels: { app.kubernetes.io/name: prometheus }
    ports: [{ port: 9464 }, { port: 9902 }]
{{- end }}
