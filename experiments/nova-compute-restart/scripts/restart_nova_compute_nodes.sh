#!/bin/bash
cat stop-start-nova-compute.sh | sshpass -p 'simulated-password' ssh rally@cmp01.example.org &
cat stop-start-nova-compute.sh | sshpass -p 'simulated-password' ssh rally@cmp02.example.org &
cat stop-start-nova-compute.sh | sshpass -p 'simulated-password' ssh rally@cmp03.example.org &
cat stop-start-nova-compute.sh | sshpass -p 'simulated-password' ssh rally@cmp04.example.org &
cat stop-start-nova-compute.sh | sshpass -p 'simulated-password' ssh rally@ctl01.example.org
