package daemon_test

import (
	"testing"

	"kvmnet/internal/daemontest"
)

// TestDaemonKilledAtEveryOp kills the daemon before every single op of bringing up a
// lab of all modes and of taking it down.
func TestDaemonKilledAtEveryOp(t *testing.T) {
	up, down := daemontest.KillAtOps(t, allModes, 3, 1)
	if !testing.Short() && (up < 80 || down < 20) {
		t.Errorf("too few ops were cut: the lab is not what it should be")
	}
}
