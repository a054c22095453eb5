package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/libvirthost"
)

func (a *app) importCommand() *cobra.Command {
	return a.group("import", "take networks over from libvirt",
		`Import defines networks as another program has them: libvirt's own, or the one
called default that every libvirt installation begins with.`,
		`  kvmnet import libvirt                    what there is, and what would become of it
  kvmnet import libvirt default --start
  kvmnet import default`, a.importLibvirtCommand(), a.importDefaultCommand())
}

// importing are the flags of import libvirt.
type importing struct {
	all, dry, start bool
	from, connect   string
	virsh           bool
}

func (a *app) importLibvirtCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "libvirt [--all | NAME...]", Short: "take over the networks of an installed libvirt",
		Long: `Libvirt defines the networks of a libvirt here: with their names, UUIDs, bridges
and MAC addresses, their reservations, whether they start at boot, and the leases
that their guests hold now. It tells beforehand what of them is not supported and
what is in the way. Without names, and without --all, it only tells.

What is in libvirt is never touched. A network that libvirt runs is defined here and
can start when it is stopped there: 'virsh net-destroy NAME', and 'virsh
net-autostart --disable NAME' so that it does not come back at the next boot. What
was imported before is left as it is, but for leases that are longer by now; with
--start it is started unless it runs.

The definitions are read from libvirt's files; as root, since nobody else may. With
--virsh they are asked for, also of another host.`,
		Example: `  sudo kvmnet import libvirt --all --dry-run
  sudo kvmnet import libvirt lab web
  kvmnet import libvirt --all --virsh --connect qemu+ssh://root@old/system
  kvmnet import libvirt --all --from /mnt/backup`}
	var i importing
	f := cmd.Flags()
	f.BoolVar(&i.all, "all", false, "every network")
	f.BoolVar(&i.dry, "dry-run", false, "only tell what would be done")
	f.BoolVar(&i.start, "start", false, "start them")
	f.StringVar(&i.from, "from", "", "read a copy: the `folder` that is the root of a whole system, or one with definitions")
	f.BoolVar(&i.virsh, "virsh", false, "ask virsh")
	f.StringVar(&i.connect, "connect", "", "`URI` of the libvirt that virsh is to ask")
	cmd.MarkFlagDirname("from")
	cmd.MarkFlagsMutuallyExclusive("from", "virsh")
	cmd.MarkFlagsMutuallyExclusive("from", "connect")
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if i.all && len(args) > 0 {
			return usagef("unexpected argument %q beside --all", args[0])
		}
		if i.start && !i.all && len(args) == 0 {
			return usage("name the networks to start, or --all")
		}
		return a.importLibvirt(cmd.Context(), i, args, form.value)
	}
	return cmd
}

// source is the libvirt that is meant.
func (i importing) source() libvirthost.Source {
	switch {
	case i.virsh || i.connect != "":
		return libvirthost.NewVirsh(i.connect)
	case i.from != "":
		return libvirthost.Copied(i.from)
	}
	return libvirthost.Root("/")
}

// here reports whether that libvirt is on this host, so that what it runs is in the
// way. The URI of another host names it.
func (i importing) here() bool {
	return i.from == "" && (i.connect == "" || strings.Contains(i.connect, ":///"))
}

// untaken ends a command whose networks were not all taken.
func untaken(list []*candidate) error {
	var errs []error
	for _, c := range list {
		what := " is not taken: "
		if c.known {
			what = " does not start: "
		}
		if c.Result == resultConflict {
			errs = append(errs, errors.New("network/"+c.Name+what+strings.Join(c.Problems, "; ")))
		}
	}
	return errors.Join(errs...)
}
