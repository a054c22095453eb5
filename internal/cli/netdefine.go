package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// defineCommand makes define and create, which differ in one word.
func (a *app) defineCommand(cmd *cobra.Command, transient bool, done string) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = one("FILE"), completeFile
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := a.readFile(args[0])
		if err != nil {
			return err
		}
		n, err := a.client().Define(cmd.Context(), f, transient)
		if err == nil {
			a.say("network/%s %s", n.Name, done)
			a.notePending(n)
		}
		return err
	}
	return cmd
}

func (a *app) netDefineCommand() *cobra.Command {
	return a.defineCommand(&cobra.Command{Use: "define FILE", Short: "define a network from a file",
		Long: `Define stores the one network of a file without starting it. When it is defined
already it is changed, and a running one takes the change at its next start.
'kvmnet apply' makes changes at once and takes many objects.`,
		Example: `  kvmnet net define lab.yaml
  kvmnet net define - < lab.yaml`}, false, "defined")
}

func (a *app) netCreateCommand() *cobra.Command {
	return a.defineCommand(&cobra.Command{Use: "create FILE", Short: "start a transient network from a file",
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

func (a *app) netDumpCommand() *cobra.Command {
	return &cobra.Command{Use: "dump NAME", Short: "print the definition of a network as YAML",
		Long:    `Dump prints a file that 'kvmnet apply' and 'kvmnet net define' take.`,
		Example: `  kvmnet net dump lab > lab.yaml`,
		Args:    one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.client().Export(cmd.Context(), "network", args[0])
			fmt.Fprint(a.Stdout, text)
			return err
		}}
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
			f, err := os.CreateTemp("", "kvmnet-*-"+strings.ReplaceAll(args[0], "/", "_")+".yaml")
			if err != nil {
				return fmt.Errorf("make a file to edit: %w", err)
			}
			_, err = io.WriteString(f, text)
			if err = errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("write %s: %w", f.Name(), errors.Join(err, os.Remove(f.Name())))
			}
			return a.edit(cmd, args[0], f.Name(), text)
		}}
}

// edit runs the editor until the text is accepted or the user gives up, and
// removes the file when nothing in it can be missed.
func (a *app) edit(cmd *cobra.Command, name, file, old string) error {
	for {
		text, err := a.runEditor(file)
		if err != nil {
			return fmt.Errorf("%w; the text is kept in %s", err, file)
		}
		if text == old {
			a.say("network/%s not changed", name)
			return os.Remove(file)
		}
		n, err := a.client().Define(cmd.Context(), api.File{Name: file, Text: text}, false)
		if err == nil {
			a.say("network/%s changed", n.Name)
			a.notePending(n)
			return os.Remove(file)
		}
		if !a.again(err) {
			return fmt.Errorf("network/%s not changed; the text is kept in %s", name, file)
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

// runEditor lets the user edit a file and returns what it then holds. The
// editor may be a command with arguments, as git takes it. It is not ended by
// Ctrl-C, which is a key like others to many editors.
func (a *app) runEditor(file string) (string, error) {
	editor := "vi"
	for _, env := range []string{"EDITOR", "VISUAL"} {
		if e := os.Getenv(env); e != "" {
			editor = e
		}
	}
	c := exec.Command("sh", "-c", editor+` "$1"`, editor, file)
	c.Stdin, c.Stdout, c.Stderr = a.Stdin, a.Stdout, a.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("run the editor %q: %w", editor, err)
	}
	text, err := os.ReadFile(file)
	return string(text), err
}

// readLine reads a line byte by byte, so that the editor gets what follows it.
func readLine(r io.Reader) string {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		if n == 1 && b[0] != '\n' {
			line = append(line, b[0])
		} else if n == 1 || err != nil {
			return strings.TrimSpace(string(line))
		}
	}
}
