package netfiles

import "io/fs"

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
	Path          string      `json:"path"`
	Before, After []byte      `json:",omitempty"`
	Mode          fs.FileMode `json:"mode"` // of the file after; of the file before where it stays
}
