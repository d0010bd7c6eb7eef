// Verifies chains with Go as an agent does: reads a JSON list of chains (DER in base64, the server certificate first),
// writes for each one the errors with the whole chain as anchors and with only its last certificate (empty: accepted).
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
)

type question struct {
	Chain [][]byte
	Name  string
}

func parse(chain [][]byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for _, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("failed to parse certificate: %w", err)
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}

func verify(presented, anchors []*x509.Certificate, name string) string {
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: name}
	for _, anchor := range anchors {
		options.Roots.AddCert(anchor)
	}
	for _, certificate := range presented[1:] {
		options.Intermediates.AddCert(certificate)
	}
	if _, err := presented[0].Verify(options); err != nil {
		return err.Error()
	}
	return ""
}

func answer(q question) [2]string {
	certificates, err := parse(q.Chain)
	if err != nil {
		return [2]string{err.Error(), err.Error()}
	}
	last := certificates[len(certificates)-1:]
	return [2]string{verify(certificates, certificates, q.Name), verify(certificates, last, q.Name)}
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answers := make([][2]string, len(questions))
	for i, q := range questions {
		answers[i] = answer(q)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(1)
	}
}
