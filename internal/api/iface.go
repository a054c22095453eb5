package api

import (
	"context"

	"kvmnet/internal/spec"
)

// InterfaceService are the verbs about the host's own interfaces. One is named by its
// name or by its MAC.
type InterfaceService interface {
	// Interfaces lists the host's interfaces by name, those that are up, defined, or
	// both. A port is told of by its bridge or bond.
	Interfaces(ctx context.Context) ([]HostInterface, error)
	// Interface tells of one.
	Interface(ctx context.Context, name string) (HostInterface, error)
	// InterfaceXML is one as libvirt writes it: as it runs, or its definition when it
	// does not, or when that is asked for.
	InterfaceXML(ctx context.Context, name string, inactive bool) (string, error)
	// DefineInterface writes the definition of one into the files of who has its
	// configuration. It changes nothing of what runs.
	DefineInterface(ctx context.Context, r DefineInterface) (DefinedInterface, error)
	// UndefineInterface takes what files say of it away.
	UndefineInterface(ctx context.Context, name string) error
	// StartInterface and StopInterface do so with what runs.
	StartInterface(ctx context.Context, r InterfaceAction) (InterfaceChange, error)
	StopInterface(ctx context.Context, r InterfaceAction) error
	// BridgeInterface defines a bridge that has an interface as its port and takes over
	// its addresses; UnbridgeInterface defines the interface without the bridge. Of
	// interfaces that are up the change is made, too, and reverted unless it is
	// confirmed.
	BridgeInterface(ctx context.Context, r BridgeInterface) (InterfaceChange, error)
	UnbridgeInterface(ctx context.Context, r UnbridgeInterface) (InterfaceChange, error)
	// BeginInterfaces keeps what is configured now, until CommitInterfaces or
	// RollbackInterfaces. A reboot rolls back.
	BeginInterfaces(ctx context.Context) error
	CommitInterfaces(ctx context.Context) error
	RollbackInterfaces(ctx context.Context) error
}

// HostInterface is an interface of the host.
type HostInterface struct {
	Name    string              `json:"name"`
	Active  bool                `json:"active"`
	MAC     spec.MAC            `json:"mac,omitzero"`
	Manager string              `json:"manager,omitempty"` // who has its configuration; "" = nobody
	Live    *spec.HostInterface `json:"live,omitempty"`    // as it is on the kernel; nil = it is not there
	Defined *spec.HostInterface `json:"defined,omitempty"` // as it is configured; nil = nobody knows of it
}

// DefineInterface asks to define the one interface of a file of YAML or of libvirt's
// XML: what begins with < is XML.
type DefineInterface struct {
	File
	Strict bool `json:"strict,omitempty"` // refuse a file that says something in vain; virsh's --validate
	DryRun bool `json:"dryRun,omitempty"` // only tell what would be written
	XML    bool `json:"xml,omitempty"`    // it is XML, whatever it begins with
}

// DefinedInterface is an interface that was defined, and what its file says in vain.
type DefinedInterface struct {
	Name    string    `json:"name"`
	Manager string    `json:"manager"`         // whose files it is in
	Files   string    `json:"files,omitempty"` // what was, or would be, written: a diff
	Notes   []Problem `json:"notes,omitempty"`
}

// InterfaceAction asks to start or stop an interface.
type InterfaceAction struct {
	Name  string `json:"name"`
	Peer  Peer   `json:"peer,omitzero"`   // who asks: an interface that carries the session is not stopped,
	Force bool   `json:"force,omitempty"` // unless it is said
}

// BridgeInterface asks to put an interface into a bridge, as virsh iface-bridge does.
type BridgeInterface struct {
	Interface string       `json:"interface"`
	Bridge    string       `json:"bridge"`
	STP       bool         `json:"stp,omitempty"`
	Delay     spec.Seconds `json:"delay,omitempty"`
	Start     bool         `json:"start,omitempty"`
	Peer      Peer         `json:"peer,omitzero"`
}

// UnbridgeInterface asks to take the only port of a bridge out of it, and the bridge
// away.
type UnbridgeInterface struct {
	Bridge string `json:"bridge"`
	Start  bool   `json:"start,omitempty"`
	Peer   Peer   `json:"peer,omitzero"`
}

// InterfaceChange is what was done with an interface that runs.
type InterfaceChange struct {
	Interface  string      `json:"interface"`            // that has the addresses now
	Port       string      `json:"port,omitempty"`       // that got into it, or out of the bridge
	Conversion *Conversion `json:"conversion,omitempty"` // it waits for a confirmation; nil = it does not
}

// Reasons of errors about interfaces, for those who say it in other words.
const (
	ReasonNoInterface       = "no-interface"        // none of that name or MAC
	ReasonManyInterfaces    = "many-interfaces"     // several have that MAC
	ReasonInterfaceActive   = "interface-active"    // it is up
	ReasonInterfaceInactive = "interface-inactive"  // it is not up
	ReasonNotDefined        = "interface-undefined" // nobody has its configuration
	ReasonInterfaceTaken    = "interface-taken"     // there is one of that name already
	ReasonIsBridge          = "is-bridge"           // it is one already
	ReasonNoBridge          = "no-bridge"           // it is none
	ReasonManyPorts         = "many-ports"          // the bridge has several ports
	ReasonNoPorts           = "no-ports"            // the bridge has none
	ReasonBegun             = "begun"               // there is an open change of interfaces
	ReasonNotBegun          = "not-begun"           // there is none
)
