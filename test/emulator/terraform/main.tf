# The resources that the platform uses, once each: applies, plans empty, changes, destroys.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { suite = "emulator" }
  }
}

# Raised by the test to change what can be changed in place.
variable "revision" {
  type = number
}

data "aws_caller_identity" "current" {}
