package api

// Level is how bad a finding is.
type Level string

// The levels.
const (
	Fine    Level = "ok"
	Warning Level = "warning" // something will, or may, not work
	Broken  Level = "broken"  // something does not work
)

// Finding is what one check of the doctor found.
type Finding struct {
	Check   string `json:"check"` // one word: mtu, firewall, …
	Level   Level  `json:"level"`
	Subject string `json:"subject,omitempty"` // what it is about: a link, a network, a file
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`   // what to do about it
	Ours    bool   `json:"ours,omitempty"`  // doctor --fix does it
	Fixed   bool   `json:"fixed,omitempty"` // it has done it
}
