package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/handover"
)

const bridgeHelper = "qemu-bridge-helper"

func (a *app) bridgeHelperCommand() *cobra.Command {
	return &cobra.Command{Use: bridgeHelper + " --br=BRIDGE --fd=N [--use-vnet]", Short: "give QEMU a tap on a bridge, as its own helper does",
		Long: `Qemu-bridge-helper is what QEMU runs for a NIC of type bridge. It takes the place of
QEMU's own, needs no setuid bit, and asks the daemon for the tap: who may have one
stands in the access: of the network. The bridge is one of a network, or the name
of a network.`,
		Example: `  kvmnet qemu-bridge-helper --br=lab0 --fd=5 --use-vnet
  qemu-system-x86_64 … \
    -nic bridge,br=lab0,model=virtio,helper=/usr/local/libexec/kvmnet/qemu-bridge-helper`,
		DisableFlagParsing: true, // QEMU's helper knows three flags, and no file names
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			return a.helpBridge(cmd.Context(), args)
		}}
}

// helpBridge does what QEMU's helper does: it sends the descriptor of a tap on a bridge
// over a socket that it was given (net_bridge_run_helper in QEMU's net/tap.c).
func (a *app) helpBridge(ctx context.Context, args []string) error {
	bridge, socket, vnet, err := readBridgeHelper(args)
	if err != nil {
		return err
	}
	if kind, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || kind != unix.AF_UNIX {
		return fmt.Errorf("--fd=%d is not a unix socket: this command is for QEMU to run, by -nic bridge,br=%s,helper=FILE", socket, bridge)
	}
	client, err := handover.Dial(handover.Path(a.socketPath(runtimeFolder()), ""))
	if err != nil {
		return err
	}
	defer client.Close()
	q := api.OpenPort{Bridge: bridge, AnyMAC: true, Plain: !vnet}
	_, files, err := client.Open(ctx, q)
	if err != nil {
		q.Bridge, q.Network = "", bridge
		var none *api.Error
		_, byNetwork, second := client.Open(ctx, q)
		if !errors.As(second, &none) || none.Code != api.CodeNotFound {
			files, err = byNetwork, second
		}
	}
	if err != nil {
		return err
	}
	defer files[0].Close()
	// One byte, since a stream has no descriptors without.
	if err := unix.Sendmsg(socket, []byte{0}, unix.UnixRights(int(files[0].Fd())), nil, 0); err != nil {
		return fmt.Errorf("send the tap to QEMU: %w", err)
	}
	return nil
}

// readBridgeHelper reads the flags of QEMU's helper, with their values in the same word
// or the next one.
func readBridgeHelper(args []string) (bridge string, socket int, vnet bool, err error) {
	values := map[string]string{"--br": "", "--fd": ""}
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		switch _, known := values[name]; {
		case args[i] == "--use-vnet":
			vnet = true
		case !known:
			return "", 0, false, usagef("unknown argument %q; there are --br=BRIDGE, --fd=N and --use-vnet", args[i])
		case given:
			values[name] = value
		case i+1 < len(args):
			i++
			values[name] = args[i]
		}
	}
	socket, bad := strconv.Atoi(values["--fd"])
	switch {
	case values["--br"] == "":
		return "", 0, false, usage("missing --br=BRIDGE")
	case bad != nil || socket < 0:
		return "", 0, false, usage("missing --fd=N: the number of the socket that QEMU waits at")
	}
	return values["--br"], socket, vnet, nil
}
