package daemon_test

import (
	"context"
	"testing"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/netns"
	"kvmnet/internal/peers"
	"kvmnet/internal/resolved/resolvedtest"
)

func TestMain(m *testing.M) {
	runKvmnet()
	daemontest.Main(m, func() { peers.FetchKernel(context.Background(), nil) }, resolvedtest.Fetch)
}

// machine is a daemontest.Machine with what the tests of this room ask of it.
type machine struct{ *daemontest.Machine }

func newMachine(t testing.TB, ns *netns.NS) *machine {
	t.Helper()
	return &machine{daemontest.NewMachine(t, ns)}
}
