package api

import (
	"context"

	"kvmnet/internal/spec"
)

// InterfaceService are the verbs about the host's own interfaces.
type InterfaceService interface {
	// Interfaces lists the host's interfaces, those that are up, defined, or both.
	Interfaces(ctx context.Context) ([]HostInterface, error)
	// Interface tells of one, by its name or MAC.
	Interface(ctx context.Context, name string) (HostInterface, error)
	// DefineInterface writes the definition of one into the files of its manager.
	DefineInterface(ctx context.Context, i spec.HostInterface) (HostInterface, error)
	UndefineInterface(ctx context.Context, name string) error
	StartInterface(ctx context.Context, name string) error
	StopInterface(ctx context.Context, name string) error
	// BeginInterfaces keeps what is configured now, until CommitInterfaces or
	// RollbackInterfaces.
	BeginInterfaces(ctx context.Context) error
	CommitInterfaces(ctx context.Context) error
	RollbackInterfaces(ctx context.Context) error
}

// HostInterface is an interface of the host.
type HostInterface struct {
	Name    string              `json:"name"`
	Active  bool                `json:"active"`
	MAC     spec.MAC            `json:"mac,omitzero"`
	Manager string              `json:"manager,omitempty"` // who has its configuration
	Live    *spec.HostInterface `json:"live,omitempty"`    // as it is on the kernel
	Defined *spec.HostInterface `json:"defined,omitempty"` // as it is configured
}
