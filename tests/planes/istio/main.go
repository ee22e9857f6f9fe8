// Istio's own configuration generator and ADS server, fed from a file instead of a Kubernetes API server.
//
// pilot-discovery does not start without Kubernetes. Istio's tests start the same generator with an in-memory store;
// this program does too, and applies the file again when it changes. Usage: istio-generator MESH RESOURCES ADDRESS
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/test"
)

const pollInterval = 100 * time.Millisecond

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: istio-generator MESH RESOURCES ADDRESS")
	}
	if err := test.Wrap(func(t test.Failer) { serve(t, os.Args[1], os.Args[2], os.Args[3]) }); err != nil {
		log.Fatal(err)
	}
}

func serve(t test.Failer, meshFile, resourcesFile, address string) {
	meshConfig, err := mesh.ReadMeshConfig(meshFile)
	if err != nil {
		t.Fatalf("%s: %v", meshFile, err)
	}
	text, err := os.ReadFile(resourcesFile)
	if err != nil {
		t.Fatal(err)
	}
	configs, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", resourcesFile, err)
	}
	server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
		Configs:         configs,
		MeshConfig:      meshConfig,
		ListenerBuilder: func() (net.Listener, error) { return net.Listen("tcp", address) },
	})
	log.Printf("serving %d resources", len(configs))

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	for {
		select {
		case <-stop:
			return
		case <-time.After(pollInterval):
		}
		changed, err := os.ReadFile(resourcesFile)
		if err != nil || bytes.Equal(changed, text) {
			continue
		}
		text = changed
		if configs, err = apply(server, configs, text); err != nil {
			log.Printf("refused: %v", err)
		} else {
			log.Printf("applied %d resources", len(configs))
		}
	}
}

// apply puts the resources of the text into the store. It returns the resources that are in the store afterwards.
func apply(server *xds.FakeDiscoveryServer, before []config.Config, text []byte) ([]config.Config, error) {
	after, err := parse(text)
	if err != nil {
		return before, err
	}
	store, gone := server.Store(), map[string]config.Config{}
	key := func(c config.Config) string { return c.GroupVersionKind.String() + "/" + c.Namespace + "/" + c.Name }
	for _, c := range before {
		gone[key(c)] = c
	}
	for _, c := range after {
		current := store.Get(c.GroupVersionKind, c.Name, c.Namespace)
		delete(gone, key(c))
		if current == nil {
			_, err = store.Create(c)
		} else {
			c.ResourceVersion = current.ResourceVersion
			_, err = store.Update(c)
		}
		if err != nil {
			return after, err
		}
	}
	for _, c := range gone {
		if err := store.Delete(c.GroupVersionKind, c.Name, c.Namespace, nil); err != nil {
			return after, err
		}
	}
	return after, nil
}

// parse reads and validates resources as Istio's admission webhook does, and refuses unknown fields and kinds as the
// API server does.
func parse(text []byte) ([]config.Config, error) {
	documents := kubeyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var object struct {
			APIVersion string          `json:"apiVersion"`
			Kind       string          `json:"kind"`
			Spec       json.RawMessage `json:"spec"`
		}
		if err := documents.Decode(&object); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if object.Kind == "" {
			continue
		}
		group, version, _ := strings.Cut(object.APIVersion, "/")
		kind := config.GroupVersionKind{Group: group, Version: version, Kind: object.Kind}
		schema, known := collections.PilotGatewayAPI().FindByGroupVersionAliasesKind(kind)
		if !known {
			return nil, fmt.Errorf("unknown kind %s", kind)
		}
		spec, err := schema.NewInstance()
		if err == nil {
			err = config.ApplyJSONStrict(spec, string(object.Spec))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %v", object.Kind, err)
		}
	}
	configs, _, err := crd.ParseInputs(string(text))
	return configs, err
}
