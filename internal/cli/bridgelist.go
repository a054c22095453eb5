package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) bridgeListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list changes that wait, and bridges that took the place of a NIC",
		Long: `List prints the changes of the host's network that wait for a confirmation, of
all kinds, and the bridges that 'kvmnet bridge convert' made.`,
		Example: `  kvmnet bridge list
  kvmnet bridge list -o json | jq '.changes[].id'`,
		Args: none}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		waiting, err := a.changes(cmd, true)
		if err != nil {
			return err
		}
		bridges, err := a.client().Conversions(cmd.Context())
		if err != nil {
			return err
		}
		doc := struct {
			Changes     []api.HostChange      `json:"changes"`
			Conversions []api.ConvertedBridge `json:"conversions"`
		}{waiting, append([]api.ConvertedBridge{}, bridges...)}
		return a.print(form.value, doc, func() error { return a.printBridges(waiting, bridges) })
	}
	return cmd
}

func (a *app) printBridges(waiting []api.HostChange, bridges []api.ConvertedBridge) error {
	if len(waiting) > 0 {
		t := table{head: []string{"CHANGE", "WHAT", "STATE", "LEFT", "HOLDS", "FAILURE"}}
		for _, c := range waiting {
			t.add(c.ID, c.What, c.State, c.Left, strings.Join(c.Holds, ","), c.Failure)
		}
		if err := a.show(&t); err != nil {
			return err
		}
		if !a.quiet {
			a.say("")
		}
	}
	t := table{head: []string{"BRIDGE", "NIC", "MANAGER", "SINCE", "FILES"}}
	for _, b := range bridges {
		t.add(b.Bridge, b.Interface, b.Manager, b.Made.Local().Format(time.DateTime), strings.Join(b.Files, ","))
	}
	return a.show(&t)
}

func (a *app) bridgeHistoryCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "history", Short: "list changes that were confirmed or reverted",
		Long: `History prints the last hundred changes that waited for a confirmation, the newest
first, and why they ended as they did.`,
		Example: `  kvmnet bridge history`,
		Args:    none}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		past, err := a.changes(cmd, false)
		if err != nil {
			return err
		}
		doc := struct {
			Changes []api.HostChange `json:"changes"`
		}{past}
		return a.print(form.value, doc, func() error {
			t := table{head: []string{"CHANGE", "WHAT", "STATE", "ENDED", "WHY"}}
			for _, c := range past {
				t.add(c.ID, c.What, c.State, c.Ended.Local().Format(time.DateTime), c.Why)
			}
			return a.show(&t)
		})
	}
	return cmd
}

// changes are those that wait, or those that are over.
func (a *app) changes(cmd *cobra.Command, waiting bool) ([]api.HostChange, error) {
	all, err := a.client().Changes(cmd.Context())
	list := []api.HostChange{}
	for _, c := range all {
		over := c.State == api.ChangeReverted || c.State == api.ChangeConfirmed && c.Failure == ""
		if over != waiting {
			list = append(list, c)
		}
	}
	return list, err
}
