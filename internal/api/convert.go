package api

import (
	"context"
	"time"

	"kvmnet/internal/spec"
)

// BridgeService are the verbs about bridges of the host's own interfaces, and about
// changes that wait for a confirmation.
type BridgeService interface {
	// ConvertBridge moves a NIC into a bridge with all that it has, or tells what it
	// would do. The change is reverted unless it is confirmed in time.
	ConvertBridge(ctx context.Context, c ConvertBridge) (Conversion, error)
	// UnconvertBridge moves all back from a bridge to its NIC, in the same way.
	UnconvertBridge(ctx context.Context, c UnconvertBridge) (Conversion, error)
	// Conversions lists the bridges that took the place of a NIC and are confirmed.
	Conversions(ctx context.Context) ([]ConvertedBridge, error)
	// Changes lists the changes that wait for a confirmation, and those that had one
	// or were reverted, newest first.
	Changes(ctx context.Context) ([]HostChange, error)
	// ConfirmChange keeps a change; "" is the only one.
	ConfirmChange(ctx context.Context, id string) (HostChange, error)
	// RollbackChange takes it back at once.
	RollbackChange(ctx context.Context, id string) (HostChange, error)
}

// ConvertBridge asks to move a NIC into a bridge.
type ConvertBridge struct {
	Interface     string       `json:"interface"`
	Bridge        string       `json:"bridge,omitempty"` // "" = the first free of br0, br1, …
	STP           bool         `json:"stp,omitempty"`
	Delay         spec.Seconds `json:"delay,omitempty"`
	ConfirmWithin spec.Seconds `json:"confirmWithin,omitempty"` // 0 = 60 s
	Peer          Peer         `json:"peer,omitzero"`           // a new connection of whom confirms
	Volatile      bool         `json:"volatile,omitempty"`      // nothing is written to files
	Plan          bool         `json:"plan,omitempty"`          // only tell
}

// UnconvertBridge asks to move all back to the NIC.
type UnconvertBridge struct {
	Bridge        string       `json:"bridge"`
	ConfirmWithin spec.Seconds `json:"confirmWithin,omitempty"` // 0 = 60 s
	Peer          Peer         `json:"peer,omitzero"`
	Plan          bool         `json:"plan,omitempty"`
}

// Peer is the other end of the SSH session that a command came by.
type Peer struct {
	Client string `json:"client,omitempty"` // address and port: "192.0.2.7:50022"
	Server string `json:"server,omitempty"`
}

// Conversion is what was, or would be, done.
type Conversion struct {
	Change   *HostChange `json:"change,omitempty"` // nil for a plan
	Manager  string      `json:"manager"`          // who keeps the interface after a boot
	Ops      []string    `json:"ops"`
	Files    string      `json:"files,omitempty"`   // a diff
	Outage   string      `json:"outage"`            // expected, and once it is done measured
	Watches  string      `json:"watches,omitempty"` // whose new connection confirms by itself: "192.0.2.7, to port 22"
	Warnings []string    `json:"warnings,omitempty"`
}

// ConvertedBridge is a bridge that took the place of a NIC.
type ConvertedBridge struct {
	Bridge    string    `json:"bridge"`
	Interface string    `json:"interface"`
	Manager   string    `json:"manager"`         // who makes it at the next boot; "" = nobody
	Files     []string  `json:"files,omitempty"` // that were written for it
	Made      time.Time `json:"made"`
}

// States of a HostChange.
const (
	ChangeArmed     = "armed"     // made, and reverted at the deadline unless confirmed
	ChangeConfirmed = "confirmed" // kept
	ChangeReverting = "reverting" // could not be reverted yet, which is tried again
	ChangeReverted  = "reverted"
)

// HostChange is a change of the host's network that waits, or waited, for a
// confirmation.
type HostChange struct {
	ID       string    `json:"id"`
	What     string    `json:"what"`
	Holds    []string  `json:"holds,omitempty"`
	State    string    `json:"state"` // one of the Change constants
	Made     time.Time `json:"made"`
	Deadline time.Time `json:"deadline,omitzero"` // zero = it waits for ever
	Left     string    `json:"left,omitempty"`    // of an armed one: until the deadline, by a clock that nobody sets
	Ended    time.Time `json:"ended,omitzero"`
	Why      string    `json:"why,omitempty"`     // it was reverted, or who confirmed it
	Failure  string    `json:"failure,omitempty"` // why it could not be finished or reverted yet
}
