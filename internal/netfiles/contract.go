package netfiles

import (
	"io/fs"

	"kvmnet/internal/spec"
)

// Manager is who has the configuration of an interface.
type Manager string

// The managers. Netplan writes for others; its own files are what people edit.
const (
	Networkd       Manager = "systemd-networkd"
	NetworkManager Manager = "NetworkManager"
	Netplan        Manager = "netplan"
	Ifupdown       Manager = "ifupdown"
	Ifcfg          Manager = "ifcfg"
	Own            Manager = "kvmnet"
)

// Change is what becomes of one file. Its path is absolute in the tree; nil content
// is no file.
type Change struct {
	Path   string      `json:"path"`
	Before []byte      `json:"before,omitzero"` // nil is no file, which an empty one is not
	After  []byte      `json:"after,omitzero"`
	Mode   fs.FileMode `json:"mode"`            // of the file after; of the file before where there is one
	UID    int         `json:"uid,omitempty"`   // owner of the file, after and before
	GID    int         `json:"gid,omitempty"`   // group of the file
	Link   string      `json:"link,omitempty"`  // the path is a symbolic link to this; the content is that of its target
	Touch  bool        `json:"touch,omitempty"` // the content stays; programs are to see that the file was written
	Dirs   []string    `json:"dirs,omitempty"`  // above a new file: made with it, and removed with it when empty
}

// Conversion is a bridge that takes the place of a NIC.
type Conversion struct {
	NIC, Bridge string
	MAC         spec.MAC // of the NIC now, and of the bridge
	STP         bool
	Delay       spec.Seconds // forward delay; without STP it is 0
	MTU         int
	Live        spec.HostInterface // what the NIC has now, for managers that have no file of it
}

// Link is what files may know an interface by instead of its name.
type Link struct {
	Index        int
	MAC          spec.MAC // as it is now
	PermanentMAC spec.MAC // of the hardware
	Driver       string   // e1000e
	Path         string   // ID_PATH of udev: pci-0000:00:1f.6
	Type         string   // ether, wlan, loopback, bridge, …: networkctl's word
	AltNames     []string // beside the name
	ClientID     string   // that systemd-networkd told the DHCP server, in hexadecimal
}

// Asker tells which programs run.
type Asker interface {
	// Running reports whether a daemon runs, by the name of its program.
	Running(program string) bool
}

// Refusal is why a conversion or a definition cannot be done, with the way out.
type Refusal struct{ Message string }

func (r *Refusal) Error() string { return r.Message }
