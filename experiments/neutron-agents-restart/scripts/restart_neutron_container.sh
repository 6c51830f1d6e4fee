#!/bin/bash
cat stop-start-neutron.sh | sshpass -p 'simulated-password' ssh rally@ctl01.example.org
