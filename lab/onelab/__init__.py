"""The lab: five real systemd hosts on one machine, configured by the same Ansible playbook as a site."""
