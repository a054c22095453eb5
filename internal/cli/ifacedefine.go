package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func isUp(i api.HostInterface) bool         { return i.Active }
func isDown(i api.HostInterface) bool       { return !i.Active }
func isConfigured(i api.HostInterface) bool { return i.Defined != nil }
func isHostBridge(i api.HostInterface) bool { return shape(i).Type == "bridge" }

func (a *app) ifaceDefineCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "define FILE", Short: "define an interface from a file of YAML or libvirt's XML",
		Long: `Define writes what the one interface of a file is to be into the files of whoever
has its configuration, and changes nothing of what runs: 'kvmnet iface start' does,
or the next boot. A bridge takes over the definitions of its ports.

Whatever is in XML and has no effect is told with its line; --strict refuses it.`,
		Example: `  kvmnet iface define br0.yaml --dry-run
  kvmnet iface define br0.xml --strict
  kvmnet iface define - < br0.yaml`,
		Args: one("FILE"), ValidArgsFunction: completeFile}
	strict := cmd.Flags().Bool("strict", false, "refuse a file that says something in vain")
	dry := cmd.Flags().Bool("dry-run", false, "only show what would be written")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := a.readFile(args[0])
		if err != nil {
			return err
		}
		d, err := a.client().DefineInterface(cmd.Context(), api.DefineInterface{File: f, Strict: *strict, DryRun: *dry})
		if err != nil {
			return err
		}
		a.caution(d.Notes)
		if *dry {
			fmt.Fprint(a.Stdout, d.Files)
			a.say("interface/%s defined in files of %s (dry run)", d.Name, d.Manager)
			return nil
		}
		a.say("interface/%s defined in files of %s", d.Name, d.Manager)
		return nil
	}
	return cmd
}

func (a *app) ifaceUndefineCommand() *cobra.Command {
	return &cobra.Command{Use: "undefine NAME", Short: "take the definition of an interface out of all files",
		Long: `Undefine takes what files say of an interface away. What runs goes on until it is
stopped, or until the next boot. Files that only 'kvmnet iface define' changed are
again what they were before, byte for byte.`,
		Example: `  kvmnet iface undefine br0`,
		Args:    one("NAME"), ValidArgsFunction: a.completeInterfaces(isConfigured),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.client().UndefineInterface(cmd.Context(), args[0]); err != nil {
				return err
			}
			a.say("interface/%s undefined", args[0])
			return nil
		}}
}

func (a *app) ifaceDumpXMLCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dumpxml NAME", Short: "print an interface as libvirt's XML",
		Long: `Dumpxml prints an interface as it runs, or its definition when it does not, in the
form and order of libvirt.`,
		Example: `  kvmnet iface dumpxml eth0
  kvmnet iface dumpxml br0 --inactive > br0.xml
  kvmnet iface dumpxml eth0 --xpath //ip/@address`,
		Args: one("NAME"), ValidArgsFunction: a.completeInterfaces(anyInterface)}
	inactive := cmd.Flags().Bool("inactive", false, "the definition, also of an interface that is up")
	print := a.xmlFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.client().InterfaceXML(cmd.Context(), args[0], *inactive)
		if err != nil {
			return err
		}
		return print(text)
	}
	return cmd
}

func (a *app) ifaceEditCommand() *cobra.Command {
	return &cobra.Command{Use: "edit NAME", Short: "change the definition of an interface in your editor",
		Long: `Edit opens an interface's definition in $VISUAL, $EDITOR or vi, and defines it anew
when you leave the editor. When the text has faults you are asked whether to go
on editing; it is kept in a file until it is accepted.`,
		Example: `  kvmnet iface edit br0`,
		Args:    one("NAME"), ValidArgsFunction: a.completeInterfaces(isConfigured),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.client().Interface(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			text, err := yamlText(shape(i))
			if err != nil {
				return err
			}
			file, err := keep(i.Name, ".yaml", text)
			if err != nil {
				return err
			}
			return a.editInterface(cmd, i.Name, file, text)
		}}
}

// editInterface runs the editor until the text is accepted or the user gives up, and
// removes the file when nothing in it can be missed.
func (a *app) editInterface(cmd *cobra.Command, name, file, old string) error {
	return a.editUntil("interface/"+name, file, old, func(text string) error {
		d, err := a.client().DefineInterface(cmd.Context(), api.DefineInterface{File: api.File{Name: file, Text: text}})
		if err == nil {
			a.caution(d.Notes)
			a.say("interface/%s changed; it takes effect at its next start", d.Name)
		}
		return err
	})
}

func (a *app) ifaceMACCommand() *cobra.Command {
	return &cobra.Command{Use: "mac NAME", Short: "print the MAC of an interface",
		Long:    `Mac prints the MAC of the interface with that name.`,
		Example: `  kvmnet iface mac eth0`,
		Args:    one("NAME"), ValidArgsFunction: a.completeInterfaces(anyInterface),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.client().Interface(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case i.MAC.IsZero():
				return fmt.Errorf("%s has no MAC yet: it is not there, and none is defined", i.Name)
			}
			fmt.Fprintln(a.Stdout, i.MAC)
			return nil
		}}
}

func (a *app) ifaceNameCommand() *cobra.Command {
	return &cobra.Command{Use: "name MAC", Short: "print the name of an interface",
		Long:    `Name prints the name of the interface with that MAC.`,
		Example: `  kvmnet iface name 52:54:00:12:34:56`,
		Args:    one("MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.client().Interface(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case i.Name == args[0]:
				return fmt.Errorf("%s is a name; its MAC is %s", i.Name, i.MAC)
			}
			fmt.Fprintln(a.Stdout, i.Name)
			return nil
		}}
}
