// placeholder until the templates are written
