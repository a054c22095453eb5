package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) addrCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "addr GUEST", Short: "print the addresses of a guest",
		Long: `Addr prints the addresses of a guest: those it leased, and those it is seen with,
in the host's neighbour tables and on the bridge. So it answers for guests with
fixed addresses and on bridged networks, too, once they have sent something. GUEST
is a port, a MAC, or a host name. With --wait it waits for a first address.`,
		Example: `  kvmnet addr vm1
  ssh root@$(kvmnet addr vm1 --wait 60s -q | head -n1)
  kvmnet addr 52:54:00:12:34:56 -o json`,
		Args: one("GUEST"), ValidArgsFunction: a.complete(ports, false)}
	wait := cmd.Flags().Duration("wait", 0, "wait up to this `time` for a first address, such as 60s")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *wait < 0 {
			return usage("--wait takes a time such as 60s")
		}
		list, err := a.client().Addresses(cmd.Context(), api.AddressRequest{Guest: args[0], Wait: *wait})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return noAddress(args[0], *wait)
		}
		return a.print(form.value, addressDocument{list}, func() error { return a.show(addressTable(list)) })
	}
	return cmd
}

func noAddress(guest string, wait time.Duration) error {
	if wait == 0 {
		return fmt.Errorf("no address of %s is known yet; wait for one with --wait 60s", guest)
	}
	return fmt.Errorf("no address of %s was seen within %s; does the guest run, and ask for one?", guest, wait)
}

type addressDocument struct {
	Addresses []api.Address `json:"addresses"`
}

func addressTable(list []api.Address) *table {
	t := &table{head: []string{"ADDRESS", "SOURCE", "MAC", "PORT", "NETWORK"}}
	for _, x := range list {
		t.add(x.Address.String(), x.Source, x.MAC.String(), x.Port, x.Network)
	}
	return t
}
