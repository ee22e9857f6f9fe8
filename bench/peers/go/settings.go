package main

import (
	"encoding/json"
	"os"
	"slices"
)

// Settings are written by bench/place.py; the Rust peer reads the same file.
type Settings struct {
	Issuer          string            `json:"issuer"`
	IssuerName      string            `json:"issuer_name"`
	ClientIDs       []string          `json:"client_ids"`
	JwksFile        string            `json:"jwks_file"`
	Realm           string            `json:"realm"`
	Policies        map[string]Policy `json:"policies"`
	HeadersToRemove []string          `json:"headers_to_remove"`
	// Metadata names the fields of dynamic metadata to send.
	Metadata []string `json:"metadata"`
}

// Policy is what a route demands.
type Policy struct {
	Scopes *Demand `json:"scopes"`
	Groups *Demand `json:"groups"`
}

// Demand is a condition on a list of names.
type Demand struct {
	AnyOf []string `json:"any_of"`
	AllOf []string `json:"all_of"`
}

func readSettings(path string) (*Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	settings := &Settings{}
	return settings, json.Unmarshal(text, settings)
}

func (demand *Demand) metBy(names []string) bool {
	if demand == nil {
		return true
	}
	for _, name := range demand.AllOf {
		if !slices.Contains(names, name) {
			return false
		}
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	return len(demand.AnyOf) == 0 || slices.ContainsFunc(demand.AnyOf, has)
}
