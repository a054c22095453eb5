package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/netns"
)

// Kinds of guests.
const (
	GuestsVeth = "veth" // a network namespace each, ready at once
	GuestsQEMU = "qemu" // a virtual machine each, on a tap
)

// Options say what to show.
type Options struct {
	Guests   string    // GuestsVeth or GuestsQEMU; "" = veth
	Keep     bool      // leave the lab for people to look around in; see Remove
	Topology string    // path of a file to bring up; "" = every mode
	File     *api.File // the same, read already; it wins over Topology
	Exe      string    // path of the kvmnet program; "" = the running one
	Out      io.Writer // progress and tables; nil = nowhere
	Terminal bool      // Out is a terminal: use colour, and mind its width
}

// ErrReported is (or is wrapped by) the error of a Run whose reason stands on
// Out already.
var ErrReported = errors.New("the demo failed")

// Run builds the lab, proves every promise and takes everything down again, also
// when it fails or ctx ends. The error says how many promises were broken, or
// what kept it from proving them. Without root it runs itself again inside a user
// namespace.
func Run(ctx context.Context, o Options) error {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if err := o.findExe(); err != nil {
		return err
	}
	switch o.Guests {
	case "":
		o.Guests = GuestsVeth
	case GuestsVeth, GuestsQEMU:
	default:
		return fmt.Errorf("%q is no kind of guest: choose %s or %s", o.Guests, GuestsVeth, GuestsQEMU)
	}
	if o.Keep && o.Guests == GuestsQEMU {
		return errors.New("virtual machines end with the demo and cannot be kept; keep the lab with --guests veth")
	}
	t, err := o.topology()
	if err != nil {
		return err
	}
	if !mayBuild() {
		return o.again(ctx)
	}
	return newDemo(o, t).run(ctx)
}

// findExe makes the path of the program whole, as /proc/PID/exe tells it.
func (o *Options) findExe() (err error) {
	if o.Exe == "" {
		o.Exe, err = os.Executable()
	}
	if err == nil {
		o.Exe, err = filepath.Abs(o.Exe)
	}
	if err == nil {
		o.Exe, err = filepath.EvalSymlinks(o.Exe)
	}
	if err != nil {
		return fmt.Errorf("find the kvmnet program: %w", err)
	}
	return nil
}

// mayBuild reports whether this process may make network namespaces.
func mayBuild() bool {
	ns, err := netns.New()
	if err != nil {
		return false
	}
	ns.Close()
	return true
}

// width is the number of columns of the terminal, 0 for what is none.
func (o *Options) width() int {
	f, ok := o.Out.(*os.File)
	if !ok || !o.Terminal {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
