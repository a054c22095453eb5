package cli

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/cobra"
)

// RecoverOptions are the flags of `kvmnet recover`, all filled in.
type RecoverOptions struct {
	Root, ConfigDir, StateDir string
	Say                       func(format string, args ...any)
}

func (a *app) recoverCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "recover", Short: "end changes of the host's network that were interrupted",
		Long: `Recover ends what an interrupted daemon left of a change of the host's network: a
confirmed one is finished, its files written; an unconfirmed one is reverted. It
prints what it did, and nothing when there was nothing to do.

It needs no daemon and refuses to work beside one, which does the same when it
starts. At boot it runs before the network comes up.`,
		Example: `  kvmnet recover
  kvmnet recover --root /mnt --state-dir /mnt/var/lib/kvmnet`,
		Args: none}
	o := RecoverOptions{Say: a.say}
	cmd.Flags().StringVar(&o.Root, "root", "/", "`directory` in which the configuration files are")
	cmd.Flags().StringVar(&o.StateDir, "state-dir", cmp.Or(os.Getenv("KVMNET_STATE_DIR"), stateDir), "what must outlive a reboot ($KVMNET_STATE_DIR)")
	cmd.Flags().StringVar(&o.ConfigDir, "config-dir", cmp.Or(os.Getenv("KVMNET_CONFIG_DIR"), configDir), "definitions ($KVMNET_CONFIG_DIR)")
	cmd.MarkFlagDirname("root")
	cmd.MarkFlagDirname("config-dir")
	cmd.MarkFlagDirname("state-dir")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if a.Recover == nil {
			return errors.New("this program was built without the daemon")
		}
		return a.Recover(cmd.Context(), o)
	}
	return cmd
}
