package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) netDumpCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dump NAME", Short: "print the definition of a network as YAML or XML",
		Long: `Dump prints a file that 'kvmnet apply' and 'kvmnet net define' take. With -o xml
it is the definition in libvirt's form; 'kvmnet net dumpxml' prints how the
network runs.`,
		Example: `  kvmnet net dump lab > lab.yaml
  kvmnet net dump lab -o xml > lab.xml`,
		Args: one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := choose(cmd, "output", "o", "form of the output", asYAML, "xml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := a.client().Network(cmd.Context(), args[0]) // which may be named by its UUID
		if err != nil {
			return err
		}
		text := ""
		if form.value == asYAML {
			text, err = a.client().Export(cmd.Context(), "network", n.Name)
		} else {
			text, err = a.client().NetworkXML(cmd.Context(), n.Name, true)
		}
		fmt.Fprint(a.Stdout, text)
		return err
	}
	return cmd
}

func (a *app) netDumpXMLCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dumpxml NAME", Short: "print a network as libvirt's XML",
		Long: `Dumpxml prints a network as it runs, or its definition when it does not, in the
form and order of libvirt. What XML cannot say stands in its metadata, so that
'kvmnet net define' of it loses nothing.`,
		Example: `  kvmnet net dumpxml lab
  kvmnet net dumpxml lab --inactive > lab.xml
  kvmnet net dumpxml lab --xpath //ip/@address`,
		Args: one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	inactive := cmd.Flags().Bool("inactive", false, "the definition, also of a network that runs")
	print := a.xmlFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.client().NetworkXML(cmd.Context(), args[0], *inactive)
		if err != nil {
			return err
		}
		return print(text)
	}
	return cmd
}

// xmlFlags adds the flags of a command that prints XML, and returns what prints it.
func (a *app) xmlFlags(cmd *cobra.Command) func(document string) error {
	expression := cmd.Flags().String("xpath", "", "only what this XPath `expression` selects")
	wrap := cmd.Flags().Bool("wrap", false, "put what --xpath selects into one element, <nodes>")
	return func(document string) error {
		text, err := pick(document, *expression, *wrap)
		if err != nil {
			return usagef("%q is not an XPath expression that selects nodes", *expression)
		}
		fmt.Fprint(a.Stdout, text)
		return nil
	}
}
