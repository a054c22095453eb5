package api

import (
	"kvmnet/internal/spec"
)

// Forward is a forward, or a floating address, as the daemon sees it.
type Forward struct {
	Name   string        `json:"name"`
	Spec   *spec.Forward `json:"spec"`
	Status ForwardStatus `json:"status"`
}

// ForwardStatus is what the daemon observed of a forward.
type ForwardStatus struct {
	State    string   `json:"state"`            // Active, or what it waits for: "waits for vm1"
	Router   string   `json:"router,omitempty"` // that listens; "" = the host
	Outside  []string `json:"outside"`          // "192.0.2.5:8080"; "*:8080" is every address of the host
	Targets  []string `json:"targets,omitempty"`
	Hits     *Counter `json:"hits,omitempty"` // Packets are the first ones of connections
	Problems []string `json:"problems,omitempty"`
}

// Active is the state of a forward, policy or set that is in force.
const Active = "active"

// Policy is a policy as the daemon sees it.
type Policy struct {
	Name   string       `json:"name"`
	Spec   *spec.Policy `json:"spec"`
	Status PolicyStatus `json:"status"`
}

// PolicyStatus is what the daemon observed of a policy.
type PolicyStatus struct {
	State    string       `json:"state"`           // Active, or Waits while nobody it names is there
	Rules    []PolicyRule `json:"rules,omitempty"` // in the order in which they are asked
	Problems []string     `json:"problems,omitempty"`
}

// PolicyRule is a part of a policy with what it decided so far.
type PolicyRule struct {
	Verdict string       `json:"verdict"` // deny, reject or allow
	Traffic spec.Traffic `json:"traffic,omitzero"`
	Counter *Counter     `json:"counter,omitempty"` // Packets are the first ones of connections
}

// Set is a named set of addresses as the daemon sees it.
type Set struct {
	Name   string           `json:"name"`
	Spec   *spec.AddressSet `json:"spec"`
	Status SetStatus        `json:"status"`
}

// SetStatus tells who uses a set.
type SetStatus struct {
	Users    []string `json:"users,omitempty"` // names of policies
	Problems []string `json:"problems,omitempty"`
}

// Matrix tells who may open connections to whom, by what is defined and runs.
type Matrix struct {
	Parties []string `json:"parties"` // networks, "outside", "router/r1"
	Cells   []Reach  `json:"cells"`
}

// Reach is one cell of a Matrix.
type Reach struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Verdict string   `json:"verdict"`          // all, none, or some kinds of connections
	Router  string   `json:"router,omitempty"` // that decides; "" = the host
	Only    []Permit `json:"only,omitempty"`   // some: these kinds
	But     []Permit `json:"but,omitempty"`    // some: not these
	Reason  string   `json:"reason,omitempty"` // what decides about all others
}

// Permit is a kind of connections and the policy that decides about it.
type Permit struct {
	Traffic string `json:"traffic"` // tcp 5432
	By      string `json:"by"`      // policy/db
}
