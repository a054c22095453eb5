package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) leasesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "leases", Short: "list the addresses guests hold, of all networks",
		Long: `Leases prints the DHCP leases in force on all networks, and addresses that a
guest declined because somebody else had them (state declined).`,
		Example: `  kvmnet leases
  kvmnet leases -o json | jq -r '.leases[] | [.hostname, .address] | @tsv'`,
		Args: none}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.listLeases(cmd.Context(), "", spec.MAC{}, form.value)
	}
	return cmd
}

func (a *app) netLeasesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dhcp-leases NAME [MAC]", Short: "list the addresses guests of a network hold",
		Long:    `Dhcp-leases prints the DHCP leases in force on a network, or those of one MAC.`,
		Example: `  kvmnet net dhcp-leases lab`,
		Args:    between(1, 2, "NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var mac spec.MAC
		if len(args) > 1 {
			var err error
			if mac, err = spec.ParseMAC(args[1]); err != nil {
				return usage(err.Error())
			}
		}
		if _, err := a.client().Network(cmd.Context(), args[0]); err != nil {
			return err
		}
		return a.listLeases(cmd.Context(), args[0], mac, form.value)
	}
	return cmd
}

// listLeases prints the leases of a network and a MAC; of all networks when the
// name is "", of all guests when the MAC is zero.
func (a *app) listLeases(ctx context.Context, network string, mac spec.MAC, form string) error {
	list, err := a.client().Leases(ctx, network)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(l api.Lease) bool { return !mac.IsZero() && l.MAC != mac })
	return a.print(form, leaseDocument{list}, func() error {
		return a.show(leaseTable(list, network == "", form == asWide))
	})
}

// leaseDocument is a listing of leases; unlike objects they have no names.
type leaseDocument struct {
	Leases []api.Lease `json:"leases"`
}

// leaseTable begins with the address, which --quiet prints alone.
func leaseTable(list []api.Lease, networks, wide bool) *table {
	t := &table{head: []string{"ADDRESS", "MAC", "PROTOCOL", "HOSTNAME", "EXPIRES"}}
	if networks {
		t.head = append(t.head, "NETWORK")
	}
	if wide {
		t.head = append(t.head, "STATE", "PORT", "BEGUN", "CLIENT-ID")
	}
	for _, l := range list {
		row := []string{l.Address.String(), l.MAC.String(), l.Protocol, l.Hostname, expiry(l)}
		if networks {
			row = append(row, l.Network)
		}
		if wide {
			row = append(row, l.State, l.Port, l.Begun.Local().Format(time.DateTime), l.ClientID)
		}
		t.add(row...)
	}
	return t
}

// expiry tells until when somebody has the address, or, when it was declined, that
// nobody has.
func expiry(l api.Lease) string {
	declined := l.State == "declined"
	switch {
	case l.Expires == nil && declined:
		return "declined"
	case l.Expires == nil:
		return "never"
	case declined:
		return "declined until " + l.Expires.Local().Format(time.DateTime)
	}
	return l.Expires.Local().Format(time.DateTime)
}

func (a *app) leaseCommand() *cobra.Command {
	return a.group("lease", "DHCP leases: release",
		`Lease handles the addresses that guests hold by DHCP; 'kvmnet leases' lists them.`,
		`  kvmnet lease release vm1`, a.leaseReleaseCommand())
}

func (a *app) leaseReleaseCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "release GUEST...", Short: "end leases by hand",
		Long: `Release ends the leases of an address, a MAC, a port or a host name, so that the
addresses may be given to others. The guest is not told: it keeps using its address
until it renews, and should be off or moved. An address that was declined may be
given again.`,
		Example: `  kvmnet lease release 192.168.100.20
  kvmnet lease release vm1 --network lab`,
		Args: some("GUEST")}
	network := cmd.Flags().String("network", "", "only on this `network`")
	cmd.RegisterFlagCompletionFunc("network", a.completeNetworks(anyNetwork, false))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, "", func(ctx context.Context, guest string) error {
			ended, err := a.client().ReleaseLease(ctx, api.LeaseRelease{Network: *network, Guest: guest})
			for _, l := range ended {
				a.say("lease %s of %s on network %s released", l.Address.Addr(), strings.TrimSpace(l.Hostname+" "+l.MAC.String()), l.Network)
			}
			return err
		})
	}
	return cmd
}
