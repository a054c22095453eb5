package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Direct runs what QEMU calls, without the tree of commands: QEMU waits for it, with
// its guest. A program is chosen by its own name, which may be that of a link, or by
// its first argument. It reports whether the command line was one of these.
func Direct(ctx context.Context, args []string, o Options) (code int, done bool) {
	socket, args := socketOption(args)
	name, linked, rest := called(args)
	if name == "" || slices.Contains(rest, "--help") || slices.Contains(rest, "-h") {
		return 0, false
	}
	a := &app{Options: o, socket: socket}
	if a.Stderr == nil {
		a.Stderr = os.Stderr
	}
	err := a.direct(ctx, name, linked, rest)
	if a.daemon != nil {
		a.daemon.Close()
	}
	if err == nil {
		return exitDone, true
	}
	fmt.Fprintf(a.Stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
	return exitFailed, true
}

func (a *app) direct(ctx context.Context, name, linked string, args []string) error {
	switch {
	case name == bridgeHelper:
		return a.helpBridge(ctx, args)
	case len(args) != 1 || args[0] == "" || strings.HasPrefix(args[0], "-"):
		return usagef("it takes the name of one interface: %s INTERFACE", name)
	case name == ifup:
		return a.plugIn(ctx, args[0], linked)
	}
	return a.unplug(ctx, args[0])
}

// socketOption takes the daemon's socket, which may be said before the word, out of a
// command line.
func socketOption(args []string) (socket string, rest []string) {
	const option = "--socket"
	switch {
	case len(args) > 2 && args[1] == option:
		return args[2], slices.Delete(slices.Clone(args), 1, 3)
	case len(args) > 1 && strings.HasPrefix(args[1], option+"="):
		return args[1][len(option)+1:], slices.Delete(slices.Clone(args), 1, 2)
	}
	return "", args
}

// called tells what of ours is called, for which network when its link says so, and
// with which arguments.
func called(args []string) (name, linked string, rest []string) {
	if len(args) == 0 {
		return "", "", nil
	}
	switch base, folder := filepath.Base(args[0]), filepath.Base(filepath.Dir(args[0])); {
	case folder == ifup+".d", folder == ifdown+".d":
		return strings.TrimSuffix(folder, ".d"), base, args[1:]
	case base == ifup, base == ifdown, base == bridgeHelper:
		return base, "", args[1:]
	case base == "kvmnet-bridge-helper":
		return bridgeHelper, "", args[1:]
	case len(args) > 1 && slices.Contains([]string{ifup, ifdown, bridgeHelper}, args[1]):
		return args[1], "", args[2:]
	}
	return "", "", nil
}
