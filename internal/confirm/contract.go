package confirm

import (
	"encoding/json"
	"time"
)

// Change is one that is armed: it is reverted at its deadline unless it is confirmed.
type Change struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`  // who reverts it
	What     string          `json:"what"`  // "eth0 into br0", for people
	Holds    []string        `json:"holds"` // interfaces and objects nobody else may change meanwhile
	Boot     string          `json:"boot"`  // /proc/sys/kernel/random/boot_id when it was armed
	Made     time.Time       `json:"made"`
	Deadline time.Time       `json:"deadline"`        // zero = none
	Before   json.RawMessage `json:"before"`          // what Revert goes back to
	After    json.RawMessage `json:"after,omitempty"` // what Confirm has still to do
}
