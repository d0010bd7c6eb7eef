module parse

go 1.22.0
