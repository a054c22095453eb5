package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

const (
	ifup   = "qemu-ifup"
	ifdown = "qemu-ifdown"
)

func (a *app) ifupCommand() *cobra.Command {
	return &cobra.Command{Use: ifup + " INTERFACE", Short: "plug a tap that QEMU made into a network (script=)",
		Long: `Qemu-ifup is QEMU's script= for a tap that QEMU makes by itself. The network is
that of $KVMNET_NETWORK, or the name of the link by which it is called when the
link is in a folder qemu-ifup.d, or that of the port which has the interface. A
network that runs on demand is started. The port goes when the interface does.`,
		Example: `  kvmnet qemu-ifup vnet0
  ln -s /usr/local/libexec/kvmnet/qemu-ifup /etc/kvmnet/qemu-ifup.d/lab   # a script for lab
  qemu-system-x86_64 -nic tap,model=virtio,script=/etc/kvmnet/qemu-ifup.d/lab,downscript=no`,
		Args: one("INTERFACE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.plugIn(cmd.Context(), args[0], "") }}
}

func (a *app) ifdownCommand() *cobra.Command {
	return &cobra.Command{Use: ifdown + " INTERFACE", Short: "take a tap of QEMU out of its network (downscript=)",
		Long: `Qemu-ifdown is QEMU's downscript=. Nothing is lost without it: the port goes with
the interface. A network that runs on demand stops with its last guest.`,
		Example: `  kvmnet qemu-ifdown vnet0`,
		Args:    one("INTERFACE"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.unplug(cmd.Context(), args[0]) }}
}

// plugIn plugs an interface into a network.
func (a *app) plugIn(ctx context.Context, iface, linked string) error {
	network := cmp.Or(os.Getenv("KVMNET_NETWORK"), linked)
	_, err := a.client().PlugPort(ctx, api.PlugPort{Interface: iface, Network: network})
	var refused *api.Error
	if errors.As(err, &refused) && network == "" && refused.Code == api.CodeInvalid {
		return a.withNetworks(ctx, err)
	}
	return err
}

// withNetworks adds to an error which networks there are to choose from.
func (a *app) withNetworks(ctx context.Context, err error) error {
	list, failed := a.client().Networks(ctx)
	if failed != nil || len(list) == 0 {
		return err
	}
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	return fmt.Errorf("%w; there are %s", err, strings.Join(names, ", "))
}

// unplug takes an interface out. One that is gone took its port with it: nobody needs
// to know of it.
func (a *app) unplug(ctx context.Context, iface string) error {
	err := a.client().UnplugPort(ctx, iface)
	if _, there := os.Stat("/sys/class/net/" + filepath.Base(iface)); there != nil {
		return nil
	}
	return err
}
