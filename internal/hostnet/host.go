package hostnet

import (
	"log/slog"

	"kvmnet/internal/netns"
)

// Options tell where the host is.
type Options struct {
	NS       *netns.NS // network namespace of its interfaces
	Root     string    // of the tree of configuration files; "" = /
	StateDir string    // for the journal and the records, kept over boots
	Log      *slog.Logger
}

// Host has the host's own interfaces.
type Host struct{ Options }

// Open reads what an earlier one left.
func Open(o Options) (*Host, error) { return &Host{Options: o}, nil }
