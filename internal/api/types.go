package api

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"kvmnet/internal/spec"
)

// Run states of a network.
const (
	Running  = "running"
	Inactive = "inactive"
	OnDemand = "on demand" // defined, waits for its first port
)

// Network is a network as the daemon sees it.
type Network struct {
	Name   string        `json:"name"`
	Spec   *spec.Network `json:"spec"` // the running one, or the definition when inactive
	Status NetworkStatus `json:"status"`

	Definition *spec.Network `json:"definition,omitempty"` // of a running network, when it is another one
}

// NetworkStatus is what the daemon observed of a network.
type NetworkStatus struct {
	State      string   `json:"state"` // Running, Inactive or OnDemand
	Persistent bool     `json:"persistent"`
	Autostart  bool     `json:"autostart"`
	Bridge     string   `json:"bridge,omitempty"`
	Ports      []string `json:"ports,omitempty"`    // names of its ports, and interface names of adopted ones
	Pending    bool     `json:"pending,omitempty"`  // the definition differs from what runs; takes effect at the next start
	Problems   []string `json:"problems,omitempty"` // why it is not as wanted; empty = as wanted

	// Counters tell what guests asked since the service on the network began, and
	// what became of it: "dhcp4 offers", "dns limited". Of single networks only.
	Counters map[string]uint64 `json:"counters,omitempty"`
}

// HostBridge is a declared host bridge as the daemon sees it.
type HostBridge struct {
	Name   string           `json:"name"`
	Spec   *spec.HostBridge `json:"spec"`
	Status BridgeStatus     `json:"status"`
}

// BridgeStatus is what the daemon observed of a host bridge.
type BridgeStatus struct {
	State    string   `json:"state"` // "up" or "missing"
	Problems []string `json:"problems,omitempty"`
}

// Status is the daemon's own state.
type Status struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	Started   time.Time `json:"started"`
	Paused    bool      `json:"paused"`
	Networks  int       `json:"networks"`
	Running   int       `json:"running"`
	Ports     int       `json:"ports"`
	Routers   int       `json:"routers"`
	Forwards  int       `json:"forwards"`
	Policies  int       `json:"policies"`
	LastPass  time.Time `json:"lastPass"`          // end of the last look at the kernel
	PassTook  string    `json:"passTook"`          // how long it took
	Repairs   int       `json:"repairs"`           // ops applied that nobody asked for
	Problems  []string  `json:"problems"`          // "network/lab: …"
	ConfigDir string    `json:"configDir"`         //
	Uplinks   []string  `json:"uplinks,omitempty"` // interfaces by which networks leave

	Goroutines int `json:"goroutines"` // of the daemon
}

// File is one file as the user gave it; the daemon parses it, so that every
// client gets the same line numbers.
type File struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// ApplyRequest asks to make the objects of some files so.
type ApplyRequest struct {
	Files  []File `json:"files"`
	DryRun bool   `json:"dryRun,omitempty"` // only tell what would change (`diff`)

	ConfirmWithin spec.Seconds `json:"confirmWithin,omitempty"` // revert it unless it is confirmed; 0 = it stays
	Peer          Peer         `json:"peer,omitzero"`           // a new connection of whom confirms
}

// ApplyResult tells what changed, or would.
type ApplyResult struct {
	Objects  []Change          `json:"objects,omitempty"`  // definitions that changed
	Ops      []string          `json:"ops,omitempty"`      // kernel changes, in order, as lines
	Disturbs []string          `json:"disturbs,omitempty"` // what guests will notice
	Problems map[string]string `json:"problems,omitempty"` // object → why it could not be made
	Waits    map[string]string `json:"waits,omitempty"`    // object → what it waits for; the daemon goes on by itself
	Notes    []Problem         `json:"notes,omitempty"`    // what files that are libvirt's XML say in vain
	Next     []Next            `json:"next,omitempty"`     // of a drift: networks that will run in another way
	Change   *HostChange       `json:"change,omitempty"`   // what waits for a confirmation; nil when nothing changed
	Watches  string            `json:"watches,omitempty"`  // whose new connection confirms by itself
}

// Next tells how a network runs that will run in another way from its next start on.
type Next struct {
	Object string   `json:"object"` // network/lab
	Lines  []string `json:"lines"`  // of its YAML: "- " as it runs, "+ " as it is defined, "  " both
}

// Change is a change of a definition.
type Change struct {
	Object string `json:"object"` // network/lab
	Verb   string `json:"verb"`   // created, changed, started, stopped, deleted, unchanged
}

// Problem is one fault of the input, placed in the user's file when it came from
// one.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Excerpt string `json:"excerpt,omitempty"`
	Text    string `json:"text"` // all of it, as printed for people
}

// Error is an error of the daemon. Code is one of the Code constants.
type Error struct {
	Code     string    `json:"code"`
	Message  string    `json:"message"`
	Reason   string    `json:"reason,omitempty"` // one of the Reason constants, where there is one
	Problems []Problem `json:"problems,omitempty"`
}

// Error codes.
const (
	CodeInvalid  = "invalid"   // the input is wrong; nothing changed
	CodeNotFound = "not-found" // no such object
	CodeConflict = "conflict"  // it exists, is in use, or is in the wrong state
	CodeInternal = "internal"  // the kernel or the disk refused
)

// Error implements error: the message, and every problem below it.
func (e *Error) Error() string {
	lines := []string{e.Message}
	for _, p := range e.Problems {
		lines = append(lines, p.Text)
	}
	return strings.TrimPrefix(strings.Join(lines, "\n"), "\n")
}

// Event is something that happened.
type Event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`              // created, changed, unchanged, started, stopped, deleted, metadata-change, applied, repaired, problem, progress, lease
	Object  string    `json:"object,omitempty"`  // network/lab
	Message string    `json:"message,omitempty"` // of a metadata-change: title, description, or element and its URI
	Life    string    `json:"life,omitempty"`    // of a network: Defined, Undefined, Started or Stopped, where libvirt would tell of it
	Lease   *Lease    `json:"lease,omitempty"`   // of type lease: the one that was bound, renewed, released, expired or declined
	Done    int       `json:"done,omitempty"`    // progress: ops applied so far
	Total   int       `json:"total,omitempty"`   // progress: ops of this pass
}

// Check is one promise of a network's mode, proven with packets.
type Check struct {
	Network  string `json:"network"`
	Promise  string `json:"promise"` // "guest → gateway 192.168.100.1 (icmp)"
	Expected string `json:"expected"`
	Seen     string `json:"seen"`
	OK       bool   `json:"ok"`
}

// VerifyRequest names the networks to prove; none = all that run.
type VerifyRequest struct {
	Networks []string `json:"networks,omitempty"`
	Outside  string   `json:"outside,omitempty"` // address outside to probe; "" = the uplink's gateway
}

// Orphan is a kernel object of ours that no definition wants.
type Orphan struct {
	Object string `json:"object"` // as printed by diff
}

// AddNetwork asks for a network from a few words, choosing what is not given.
type AddNetwork struct {
	Name    string        `json:"name"`
	Network *spec.Network `json:"network"`        // subnets may be empty
	Choose  bool          `json:"choose"`         // pick a free IPv4 prefix
	IPv6    bool          `json:"ipv6,omitempty"` // pick a free IPv6 prefix, too
	DHCP    bool          `json:"dhcp,omitempty"` // serve addresses on its IPv4 subnets
	Start   bool          `json:"start"`
}

// Service is what the daemon can do. Every error is or wraps an *Error.
type Service interface {
	BridgeService
	InterfaceService

	Status(ctx context.Context) (Status, error)
	Networks(ctx context.Context) ([]Network, error)
	Network(ctx context.Context, name string) (Network, error)
	Ports(ctx context.Context) ([]Port, error)
	Bridges(ctx context.Context) ([]HostBridge, error)

	Apply(ctx context.Context, r ApplyRequest) (ApplyResult, error)
	Drift(ctx context.Context) (ApplyResult, error) // what the next pass would repair

	AddNetwork(ctx context.Context, r AddNetwork) (Network, error)
	Define(ctx context.Context, r DefineRequest) (Defined, error)
	Start(ctx context.Context, network string) error
	Stop(ctx context.Context, network string) error // virsh's destroy
	Undefine(ctx context.Context, network string) error
	SetAutostart(ctx context.Context, network string, on bool) error

	// A network is named by its name or its UUID.
	NetworkXML(ctx context.Context, network string, inactive bool) (string, error)
	UpdateNetwork(ctx context.Context, network string, u NetworkUpdate) (Updated, error)
	DescribeNetwork(ctx context.Context, network string, w NetworkWords) error
	Metadata(ctx context.Context, network, uri string, c Copies) (string, error)
	SetMetadata(ctx context.Context, network string, c MetadataChange) error
	AddPortXML(ctx context.Context, network string, r DefineRequest) (Port, error)
	PortXML(ctx context.Context, port string) (string, error)                          // by its name or its UUID
	ImportLeases(ctx context.Context, network string, leases []Lease) ([]Lease, error) // answers those that were taken
	// FreeSubnet answers a gateway address and prefix that nobody uses: 192.168.from.1/24,
	// or the next one that is free.
	FreeSubnet(ctx context.Context, from byte) (netip.Prefix, error)

	AddPort(ctx context.Context, r AddPort) (Port, error)
	SetPort(ctx context.Context, name string, r SetPort) (Port, error)
	PlugPort(ctx context.Context, r PlugPort) (Port, error)
	UnplugPort(ctx context.Context, iface string) error // of a PlugPort; nothing happens where there is none
	Routers(ctx context.Context) ([]Router, error)
	Router(ctx context.Context, name string) (Router, error) // with neighbours and counters
	AddRouter(ctx context.Context, d Definition[spec.Router]) (Router, error)
	Forwards(ctx context.Context) ([]Forward, error)
	AddForward(ctx context.Context, d Definition[spec.Forward]) (Forward, error) // without a name it is made from where it leads
	Policies(ctx context.Context) ([]Policy, error)
	AddPolicy(ctx context.Context, d Definition[spec.Policy]) (Policy, error)
	Matrix(ctx context.Context) (Matrix, error)
	Sets(ctx context.Context) ([]Set, error)
	AddSet(ctx context.Context, d Definition[spec.AddressSet]) (Set, error)

	// Delete forgets an object of any kind but network, and takes it off the host.
	// Kind is the word for one: "port", "policy".
	Delete(ctx context.Context, kind, name string) error

	Leases(ctx context.Context, network string) ([]Lease, error) // "" = of all networks
	ReleaseLease(ctx context.Context, r LeaseRelease) ([]Lease, error)
	Addresses(ctx context.Context, r AddressRequest) ([]Address, error)

	Verify(ctx context.Context, r VerifyRequest, report func(Check)) error
	Orphans(ctx context.Context) ([]Orphan, error)
	Collect(ctx context.Context) ([]Orphan, error) // gc: remove them
	Doctor(ctx context.Context) ([]Finding, error) // looks for what keeps guests from their network
	Heal(ctx context.Context) ([]Finding, error)   // repairs what is ours, and looks again
	Pause(ctx context.Context, on bool) error
	Events(ctx context.Context, send func(Event)) error            // until ctx ends
	Export(ctx context.Context, kind, name string) (string, error) // YAML of the definition; kind "" = all, name "" = all of the kind
}
