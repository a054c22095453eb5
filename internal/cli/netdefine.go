package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// defineCommand makes define and create, which differ in one word.
func (a *app) defineCommand(cmd *cobra.Command, transient bool, done string) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = one("FILE"), completeFile
	strict := cmd.Flags().Bool("strict", false, "refuse a file that says something in vain")
	dry := cmd.Flags().Bool("dry-run", false, "only look at the file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := a.readFile(args[0])
		if err != nil {
			return err
		}
		n, err := a.client().Define(cmd.Context(), api.DefineRequest{File: f, Transient: transient, Strict: *strict, DryRun: *dry})
		if err != nil {
			return namesake(err)
		}
		a.caution(n.Notes)
		if *dry {
			a.say("network/%s %s (dry run): %s", n.Name, done, netSummary(n.Network))
			a.noteProblems(n.Network)
		} else {
			a.say("network/%s %s", n.Name, done)
			a.notePending(n.Network)
		}
		return nil
	}
	return cmd
}

// namesake adds the way out to the refusal of a file whose network is another one of
// that name to libvirt.
func namesake(err error) error {
	if e := apiError(err); e != nil && e.Reason == api.ReasonNameTaken {
		return fmt.Errorf("%w; to change that network put its <uuid> into the file, or use 'kvmnet apply -f'", err)
	}
	return err
}

func (a *app) netDefineCommand() *cobra.Command {
	return a.defineCommand(&cobra.Command{Use: "define FILE", Short: "define a network from a file of YAML or libvirt's XML",
		Long: `Define stores the one network of a file without starting it. When it is defined
already it is changed, and a running one takes the change at its next start.
'kvmnet apply' makes changes at once and takes many objects.

The file is YAML, or XML as libvirt has it. Whatever is in the XML and has no
effect is told with its line; --strict refuses it. To change a network XML names
its UUID, too, as libvirt wants it.`,
		Example: `  kvmnet net define lab.yaml
  kvmnet net define default.xml --strict
  kvmnet net define - < lab.yaml`}, false, "defined")
}

func (a *app) netCreateCommand() *cobra.Command {
	return a.defineCommand(&cobra.Command{Use: "create FILE", Short: "start a transient network from a file of YAML or XML",
		Long: `Create starts the one network of a file without storing its definition: it is
gone when it is stopped and after a reboot.`,
		Example: `  kvmnet net create lab.yaml`}, true, "created")
}

// notePending says that a definition and what runs differ.
func (a *app) notePending(n api.Network) {
	if n.Status.Pending {
		a.say("note: the running network changes at its next start")
	}
}

func (a *app) netEditCommand() *cobra.Command {
	return &cobra.Command{Use: "edit NAME", Short: "change the definition of a network in your editor",
		Long: `Edit opens a network's definition in $VISUAL, $EDITOR or vi, and defines it anew
when you leave the editor. When the text has faults you are asked whether to go
on editing; it is kept in a file until it is accepted.`,
		Example: `  kvmnet net edit lab
  EDITOR='code --wait' kvmnet net edit lab`,
		Args: one("NAME"), ValidArgsFunction: a.completeNetworks(isDefined, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.client().Export(cmd.Context(), "network", args[0])
			if err != nil {
				return err
			}
			file, err := keep(args[0], ".yaml", text)
			if err != nil {
				return err
			}
			return a.editFile(cmd, args[0], file, text)
		}}
}

// editFile runs the editor until the text is accepted or the user gives up.
func (a *app) editFile(cmd *cobra.Command, name, file, old string) error {
	return a.editUntil("network/"+name, file, old, func(text string) error {
		n, err := a.client().Define(cmd.Context(), api.DefineRequest{File: api.File{Name: file, Text: text}})
		if err == nil {
			a.caution(n.Notes)
			a.say("network/%s changed", n.Name)
			a.notePending(n.Network)
		}
		return err
	})
}

// editUntil runs the editor until the text is accepted or the user gives up, and
// removes the file when nothing in it can be missed.
func (a *app) editUntil(object, file, old string, put func(text string) error) error {
	for {
		text, err := a.runEditor(file)
		if err != nil {
			return fmt.Errorf("%w; the text is kept in %s", err, file)
		}
		if text == old {
			a.say("%s not changed", object)
			return os.Remove(file)
		}
		if err = put(text); err == nil {
			return os.Remove(file)
		}
		if !a.again(err) {
			return fmt.Errorf("%s not changed; the text is kept in %s", object, file)
		}
	}
}

// again shows what is wrong and asks whether to go on.
func (a *app) again(err error) bool {
	a.complain(err)
	fmt.Fprint(a.Stderr, "edit again? [y/n] ")
	answer := strings.ToLower(readLine(a.Stdin))
	return answer == "y" || answer == "yes"
}
