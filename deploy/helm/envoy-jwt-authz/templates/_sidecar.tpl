{{- /* Templates for your own chart. Each is included with your chart's root context: {{ include "…" . }}. */ -}}

{{- define "envoy-jwt-authz.sidecar.values" -}}
{{- $values := index .Values "envoy-jwt-authz" | default dict -}}
{{- include "envoy-jwt-authz.required" (dict "value" $values.sidecar "name" "envoy-jwt-authz.sidecar" "fix" "Depend on the chart envoy-jwt-authz under its own name, without an alias.") -}}
{{- range $name, $fix := dict "name" "Write the application's name." "host" "Write the host that clients call." "selector" "Write the labels of the application's pods." "tlsSecret" "Write the name of a Secret with tls.crt and tls.key." -}}
{{- include "envoy-jwt-authz.required" (dict "value" (index $values.sidecar $name) "name" (printf "envoy-jwt-authz.sidecar.%s" $name) "fix" $fix) -}}
{{- end -}}
{{- if has (int $values.sidecar.port) (list 8443 9464 9901 9902) -}}
{{- fail (printf "envoy-jwt-authz.sidecar.port %d is used by Envoy or authz in the same pod. Let the application listen on another, such as 8080." (int $values.sidecar.port)) -}}
{{- end -}}
{{- toYaml $values -}}
{{- end }}

{{- define "envoy-jwt-authz.sidecar.initContainers" -}}
{{- $values := include "envoy-jwt-authz.sidecar.values" . | fromYaml -}}
- {{ include "envoy-jwt-authz.authz" (dict "values" $values "workers" 1 "cpu" "100m") | nindent 2 | trim }}
{{- end }}

{{- define "envoy-jwt-authz.sidecar.containers" -}}
{{- $values := include "envoy-jwt-authz.sidecar.values" . | fromYaml -}}
{{- $host := list (dict "name" "Host" "value" $values.sidecar.host) -}}
{{- $ready := dict "scheme" "HTTPS" "port" "https" "path" "/healthz" "httpHeaders" $host -}}
- {{ include "envoy-jwt-authz.envoy" (dict "values" $values "cpu" "200m" "port" (dict "name" "https" "number" 8443) "ready" $ready) | nindent 2 | trim }}
{{- end }}

{{- define "envoy-jwt-authz.sidecar.volumes" -}}
{{- $sidecar := (include "envoy-jwt-authz.sidecar.values" . | fromYaml).sidecar -}}
{{- $secrets := list $sidecar.tlsSecret -}}
{{- with $sidecar.loginSecret }}{{ $secrets = append $secrets . }}{{ end -}}
{{- include "envoy-jwt-authz.volumes" (dict "configMap" (printf "%s-envoy" $sidecar.name) "secrets" $secrets "files" (list "server-certificate.yaml")) }}
{{- end }}

{{- define "envoy-jwt-authz.sidecar.podSecurityContext" -}}
{{ include "envoy-jwt-authz.podSecurityContext" . }}
{{- end }}

{{- /* ConfigMap, NetworkPolicy and PodMonitor, as documents of their own. */ -}}
{{- define "envoy-jwt-authz.sidecar.resources" -}}
{{- $values := include "envoy-jwt-authz.sidecar.values" . | fromYaml -}}
{{- $sidecar := $values.sidecar -}}
{{- $text := .Files.Get $sidecar.configFile -}}
{{- include "envoy-jwt-authz.required" (dict "value" $text "name" (printf "The file %s of your chart" $sidecar.configFile) "fix" "Copy deploy/kubernetes/base/envoy.yaml there, or set envoy-jwt-authz.sidecar.configFile.") -}}
{{- range $anchor := list "name" "host" "port" -}}
{{- if ne 1 (len (regexFindAll (printf "(?m)^  %s: &%s \"[^\"]*\"$" $anchor $anchor) $text -1)) -}}
{{- fail (printf "%s has no line `%s: &%s \"…\"` in its first block. Take the first block of deploy/kubernetes/base/envoy.yaml." $sidecar.configFile $anchor $anchor) -}}
{{- end -}}
{{- $text = regexReplaceAll (printf "&%s \"[^\"]*\"" $anchor) $text (printf "&%s %q" $anchor (toString (index $sidecar $anchor))) -}}
{{- end -}}
{{- $text = regexReplaceAll "&callback \"https://[^/\"]*/" $text (printf "&callback \"https://%s/" $sidecar.host) -}}
{{- $text = regexReplaceAll "logout_uri=https%%3A%%2F%%2F[A-Za-z0-9.-]*%%2F" $text (printf "logout_uri=https%%%%3A%%%%2F%%%%2F%s%%%%2F" $sidecar.host) -}}
{{- if and (contains "/etc/envoy/secrets/client-secret.yaml" $text) (not $sidecar.loginSecret) -}}
{{- fail (printf "%s has a login. Set envoy-jwt-authz.sidecar.loginSecret to a Secret with client-secret.yaml and cookie-key.yaml." $sidecar.configFile) -}}
{{- end -}}
{{- /* The pages for browsers, which Envoy reads in the directory of envoy.yaml. */ -}}
{{- $pages := dict -}}
{{- range $found := regexFindAll "filename: /etc/envoy/[A-Za-z0-9._-]+\\.html" $text -1 -}}
{{- $name := base $found -}}
{{- $file := printf "%s/%s" $sidecar.pagesDirectory $name -}}
{{- $page := $.Files.Get $file -}}
{{- include "envoy-jwt-authz.required" (dict "value" $page "name" (printf "The file %s of your chart" $file) "fix" "Copy the directory deploy/kubernetes/overlays/login/pages there, or set envoy-jwt-authz.sidecar.pagesDirectory.") -}}
{{- $_ := set $pages $name $page -}}
{{- end -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $sidecar.name }}-envoy
data:
  envoy.yaml: |
    {{- $text | nindent 4 }}
  server-certificate.yaml: |
    {{- include "envoy-jwt-authz.serverCertificate" . | nindent 4 }}
  {{- range $name, $page := $pages }}
  {{ $name }}: |
    {{- $page | nindent 4 }}
  {{- end }}
---
{{ include "envoy-jwt-authz.networkPolicy" (dict "name" (printf "%s-ingress" $sidecar.name) "selector" $sidecar.selector "monitoring" $values.monitoring.namespace "port" 8443) }}
{{- if $values.monitoring.podMonitor }}
---
{{ include "envoy-jwt-authz.podMonitor" (dict "name" $sidecar.name "selector" $sidecar.selector) }}
{{- end }}
{{- end }}
