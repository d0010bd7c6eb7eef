// Parses certificates with Go: reads a JSON list of DER in base64, writes the list of its error texts
// (empty: parsed).
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var certificates [][]byte
	if err := json.NewDecoder(os.Stdin).Decode(&certificates); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	texts := make([]string, len(certificates))
	for i, der := range certificates {
		if _, err := x509.ParseCertificate(der); err != nil {
			texts[i] = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(texts); err != nil {
		os.Exit(1)
	}
}
