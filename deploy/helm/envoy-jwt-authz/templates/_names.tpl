{{- define "envoy-jwt-authz.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "envoy-jwt-authz.authzImage" -}}
{{ include "envoy-jwt-authz.image" (dict "repository" .image.repository "digest" .image.digest "tag" (.image.tag | default "0.1.0")) }}
{{- end }}

{{- define "envoy-jwt-authz.labels" -}}
app.kubernetes.io/name: envoy-jwt-authz
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* A value that must be given: its name, the value, what to write. */ -}}
{{- define "envoy-jwt-authz.required" -}}
{{- if not .value }}{{ fail (printf "%s is missing. %s" .name .fix) }}{{ end }}
{{- end }}
