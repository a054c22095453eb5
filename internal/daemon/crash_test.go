package daemon_test

import (
	"flag"
	"testing"

	"kvmnet/internal/daemontest"
)

// everyOp takes minutes of a processor more. What a network's ops are, those of the
// next one are too, so every sixth op stands for its neighbours.
var everyOp = flag.Bool("every-op", false, "kill the daemon before every single op of networks, not before each sixth one, and spoil each definition in every way")

// TestDaemonKilledAtEveryOp kills the daemon before ops of bringing up a lab of all
// modes and of taking it down.
func TestDaemonKilledAtEveryOp(t *testing.T) {
	every := 6
	if *everyOp {
		every = 1
	}
	up, down := daemontest.KillAtOps(t, allModes, 3, every)
	if !testing.Short() && (up < int64(80/every) || down < int64(20/every)) {
		t.Errorf("too few ops were cut: the lab is not what it should be")
	}
}
